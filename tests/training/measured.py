"""What a training really takes: ``python -m tests.training.measured ARCHITECTURE BATCH`` prints bytes, of a training
with gradient checkpointing and of one without. Linux only."""

import json
import sys
from pathlib import Path

import torch

from archlab.architecture import UNetSpec, load
from archlab.diffusion.process import NoisyBatch
from archlab.training.examples import Examples
from archlab.training.lessons.teacher import TeacherLesson
from archlab.training.settings import Distillation, TrainingSettings
from archlab.training.training import Training
from archlab.unet.untrained import untrained

WEIGHTS = Distillation(output=1, features=1)


def training(
    spec: UNetSpec, batch_size: int, checkpointing: bool, teacher: UNetSpec | None = None, device: str = "cpu"
) -> Training:
    """With a teacher as large, or that one."""
    student, master = untrained(spec, 0).to(device), untrained(teacher or spec, 1)
    student.checkpointing = checkpointing
    examples = Examples(None, None, batch_size, 0.0)  # type: ignore[arg-type]  # batches are made here
    lesson = TeacherLesson(student, master, WEIGHTS, examples, seed=0)
    return Training(student, lesson, TrainingSettings(batch_size=batch_size), steps=2, seed=0)


def batch(spec: UNetSpec, images: int) -> NoisyBatch:
    sample = torch.randn(images, spec.in_channels, spec.sample_size, spec.sample_size)
    context = torch.randn(images, spec.context_length, spec.context_dim)
    return NoisyBatch(sample, torch.zeros(images), context, torch.randn_like(sample), torch.ones(images))


def measured(spec: UNetSpec, batch_size: int, checkpointing: bool) -> int:
    """By how much the resident memory rises at most over two steps, of which the first makes the moments."""
    Path("/proc/self/clear_refs").write_text("5")  # the most that there was is what there is now
    before = resident("VmRSS")
    learning = training(spec, batch_size, checkpointing)
    for _ in range(2):
        learning.learn(batch(spec, batch_size))
    return resident("VmHWM") - before


def resident(key: str) -> int:
    """Bytes: ``VmRSS``, or ``VmHWM``, the most that there was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def main(architecture: str, batch_size: int) -> None:
    spec = load(architecture)
    measured(spec.scaled(width=0.25, sample_size=8), 1, False)  # loads what torch loads when it first runs
    print(json.dumps([measured(spec, batch_size, checkpointing) for checkpointing in (True, False)]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
