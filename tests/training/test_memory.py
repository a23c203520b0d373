"""The memory of a training as it is computed, against the memory that one takes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from archlab.architecture import UNetSpec, preset, save
from archlab.checkpoint import below
from archlab.training.memory import StepMemory, step_memory
from archlab.training.settings import Distillation, LessonSettings, TrainingSettings
from archlab.unet.untrained import untrained
from tests.training.measured import WEIGHTS, batch, training

REPOSITORY = Path(__file__).parents[2]
BATCH = 2


@pytest.fixture(scope="module")
def sd_tenth() -> UNetSpec:
    return preset("sd15").scaled(width=0.1, sample_size=32)


def memory(spec: UNetSpec, checkpointing: bool = False, weights: Distillation = WEIGHTS) -> StepMemory:
    settings, lesson = TrainingSettings(batch_size=BATCH), LessonSettings(distill=weights)
    return step_memory(spec, settings, lesson, device="cpu", checkpointing=checkpointing, teacher=spec)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_a_step_takes_what_is_said(sd_tenth: UNetSpec, tmp_path: Path) -> None:
    save(sd_tenth, tmp_path / "unet.yaml")
    command = [sys.executable, "-m", "tests.training.measured", tmp_path / "unet.yaml", str(BATCH)]
    settings = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back: this is about what is taken
    output = subprocess.run(
        command, check=True, cwd=REPOSITORY, env={**os.environ, **settings}, capture_output=True, text=True
    ).stdout
    expected = [memory(sd_tenth, checkpointing) for checkpointing in (True, False)]
    assert json.loads(output) == pytest.approx([parts.peak for parts in expected], rel=0.1)
    assert expected[0].activations < 0.3 * expected[1].activations


def test_what_lasts_is_what_a_training_has(small_unet: UNetSpec) -> None:
    wider = small_unet.with_channels((16, 48))  # convolutions between the two learn, too
    found = step_memory(
        small_unet, TrainingSettings(batch_size=BATCH), LessonSettings(distill=WEIGHTS), device="cpu", teacher=wider
    )
    learning = training(small_unet, BATCH, checkpointing=False, teacher=wider)
    learning.learn(batch(small_unet, BATCH))
    state = learning.state()

    def size(*names: str) -> int:
        return sum(tensor.nbytes for name in names for tensor in below(name, state).values())

    assert found.weights == found.gradients == size("unet", "modules")
    assert found.moments == size("optimizer") - state["optimizer.step"].nbytes
    assert found.average == size("averaged")
    assert found.teacher == 4 * sum(weight.numel() for weight in untrained(wider, 0).parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("checkpointing", [True, False])
def test_a_step_takes_what_is_said_on_cuda(sd_tenth: UNetSpec, checkpointing: bool) -> None:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    learning = training(sd_tenth, BATCH, checkpointing, device="cuda")
    for _ in range(2):
        learning.learn(batch(sd_tenth, BATCH).to(torch.device("cuda")))
    assert torch.cuda.max_memory_allocated() - before == pytest.approx(memory(sd_tenth, checkpointing).peak, rel=0.1)
