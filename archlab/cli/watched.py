"""What every command that trains a model, a student, a LoRA or a control does beside training."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.go_on import how_to_go_on
from archlab.cli.interrupt import say_when_interrupted

if TYPE_CHECKING:
    from archlab.terminal.training import TrainingDisplay
    from archlab.tracking import MirrorMode
    from archlab.tracking.training import TrainingMirror

_PATIENCE_SECONDS = 120.0  # after Ctrl-C, for a step to end and the state to be written


def say_how_training_goes_on(out: Path) -> None:
    """Have Ctrl-C end the training in a folder with the command by which it goes on."""
    say_when_interrupted(how_to_go_on(sys.argv[1:], f"the training in {out}"), patience_seconds=_PATIENCE_SECONDS)


@contextmanager
def watched(wandb: "MirrorMode") -> Iterator[tuple["TrainingDisplay", "TrainingMirror"]]:
    """The live display and W&B's mirror, the watchers of a training; after it what W&B has to say, once."""
    from rich.console import Console

    from archlab.model.train.launch import is_first
    from archlab.terminal.training import TrainingDisplay
    from archlab.tracking.training import TrainingMirror

    mirror = TrainingMirror(wandb)
    with TrainingDisplay(Console(stderr=True)) as display, mirror:
        yield display, mirror
    if mirror.remark and is_first():
        click.echo(mirror.remark)
