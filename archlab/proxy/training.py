"""A proxy's training as its settings have it: the device, the network it begins with, and the lesson."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from archlab.architecture import UNetSpec
from archlab.diffusion.configured import configured_process
from archlab.encoders.prepare import Prepared
from archlab.progress import ShareDone, silent_share
from archlab.proxy.settings import ProxySettings
from archlab.training.curve import CurveRow
from archlab.training.device import training_device
from archlab.training.examples import Examples
from archlab.training.lessons import LESSONS
from archlab.training.lessons.lesson import Materials
from archlab.training.settings import LessonSettings, TrainingSettings
from archlab.training.training import Training, finite
from archlab.unet import UNet
from archlab.unet.untrained import untrained


def begin_training(
    spec: UNetSpec,
    prepared: Prepared,
    settings: ProxySettings,
    *,
    seed: int,
    start: UNet | None = None,
    teacher: UNet | None = None,
    micro_batch: int | None = None,
    runs_ahead: bool | None = None,
) -> Training:
    """The training of the proxy ``spec`` before its first step; it follows ``seed`` alone.

    Args:
        start: begin with a copy of this network of ``spec`` instead of random weights.
        teacher: learn from this network, too, as ``settings.distill`` has it.
        micro_batch, runs_ahead: see `Training`.

    Raises:
        BadInput: the settings ask for a device or a precision that there is not.
    """
    device = training_device(settings, settings)
    network = (untrained(spec, seed) if start is None else copy.deepcopy(start)).to(device)
    network.checkpointing = settings.checkpointing
    lesson = LessonSettings() if teacher is None else settings.part(LessonSettings)
    materials = Materials(
        network=network,
        examples=examples(prepared, settings),
        seed=seed,
        settings=lesson,
        teacher=teacher,
    )
    return Training(
        network,
        LESSONS[lesson.lesson](materials),
        settings.part(TrainingSettings),
        steps=settings.rungs[-1],
        seed=seed,
        micro_batch=micro_batch,
        runs_ahead=runs_ahead,
    )


def examples(prepared: Prepared, settings: ProxySettings) -> Examples:
    """What a proxy of these settings learns from."""
    return Examples(
        prepared, configured_process(settings, prepared.sample_size), settings.batch_size, settings.prompt_dropout
    )


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained proxy.

    Attributes:
        unet: with averaged weights, in the form that is deployed, in evaluation mode.
        curve: one row a step.
        rungs: the score of the averaged weights at each rung.
        seconds: time in training steps alone, without scoring.
    """

    unet: nn.Module
    curve: tuple[CurveRow, ...]
    rungs: dict[int, float]
    seconds: float


def train(
    spec: UNetSpec,
    prepared: Prepared,
    settings: ProxySettings,
    *,
    seed: int,
    score: Callable[[nn.Module], float],
    start: UNet | None = None,
    progress: ShareDone = silent_share,
) -> Trained:
    """Train to the last rung; initial weights, batches, time steps and noise follow ``seed`` alone.

    Args:
        score: of the averaged network, lower is better; called at every rung.
        start: see `begin_training`.
        progress: called after every step.

    Raises:
        Diverged: the loss or a score is infinite or NaN.
    """
    training = begin_training(spec, prepared, settings, seed=seed, start=start)
    rungs: dict[int, float] = {}
    for rung in settings.rungs:
        training.run(rung, lambda: progress(training.step / settings.rungs[-1]))
        rungs[rung] = finite(score(training.network), rung, "the score")
    return Trained(training.network, tuple(training.curve), rungs, training.seconds)
