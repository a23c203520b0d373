"""Small trainings: of a tiny UNet on digits of 8×8 pixels, whole, stopped, killed."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.model.settings import ModelScale, ModelSettings
from archlab.model.train import TrainingWatcher, train_model

STEPS = 30


def small(**changes: Any) -> ModelSettings:
    """A few quick steps."""
    settings = ModelSettings(
        data="digits",
        scale=ModelScale(width=1, sample_size=8),
        steps=STEPS,
        batch_size=4,
        learning_rate=4e-3,
        sampling_steps=2,
        validate_every=20,
        draw_every=20,
        checkpoint_seconds=0.02,
        threads=1,
    )
    return ModelSettings(**(settings.model_dump() | changes))


class Heard(TrainingWatcher):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.steps: list[int] = []
        self.began_at: list[int] = []

    def training_started(self, start: Any) -> None:
        self.began_at.append(len(start.curve))

    def stepped(self, points: Any) -> None:
        self.steps += [point.step for point in points]

    def notice(self, line: str) -> None:
        self.notices.append(line)


class StopAfter(TrainingWatcher):
    """Presses Ctrl-C when so many steps were made."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, points: Any) -> None:
        if points[-1].step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def weights(folder: Path) -> dict[str, Tensor]:
    """Of a finished model."""
    return load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")


def in_child(work: Callable[[], object]) -> int:
    """Do it in a child of this process; its number."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def killed(spec: UNetSpec, settings: ModelSettings, out: Path, after_seconds: float) -> bool:
    """Train in a process of its own, which is killed so long after it was begun; whether it was done before."""
    child = in_child(lambda: train_model(spec, settings, out))
    ends = time.monotonic() + after_seconds
    while time.monotonic() < ends:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def begin_and_kill(spec: UNetSpec, settings: ModelSettings, out: Path) -> None:
    """Train in a process of its own, which is killed when it has begun."""
    child = in_child(lambda: train_model(spec, settings, out))
    while not (out / "state" / "training.json").is_file():
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
