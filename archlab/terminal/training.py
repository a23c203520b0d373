"""What a model's training shows: a bar on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars

from archlab.model.train.curve import Point
from archlab.model.train.watcher import Start, TrainingWatcher
from archlab.terminal.listing import shown
from archlab.terminal.live import duration
from archlab.terminal.stages import in_words

_LATEST_STEPS = 50  # over which loss and speed are averaged


class TrainingDisplay(TrainingWatcher):
    """A watcher that shows step, losses, speed and time left; a context manager.

    Attributes:
        start: what is trained; None before its data and network are there, and for one that has nothing to do.
    """

    def __init__(self, console: Console) -> None:
        self.start: Start | None = None
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[note]}"))
        self._bars = Bars(*columns, console=console, disable=not console.is_terminal)
        self._bar = self._bars.add_task("", total=1.0, note="", visible=False)
        self._stage = ""
        self._latest: deque[Point] = deque(maxlen=_LATEST_STEPS + 1)
        self._val_loss: float | None = None
        self._began, self._made = 0.0, 0

    def __enter__(self) -> "TrainingDisplay":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def making_ready(self, stage: str, share: float) -> None:
        """Move the bar; elsewhere than on a terminal, a line when the stage changes."""
        self._move(in_words(stage), share)

    def training_started(self, start: Start) -> None:
        """Say what is trained, and where it goes on."""
        self.start, self._began = start, time.monotonic()
        self._latest.extend(start.curve[-1:])
        done, steps = len(start.curve), start.steps
        self._val_loss = next((p.val_loss for p in reversed(start.curve) if p.val_loss is not None), None)
        going_on = f"going on after {done:,} of {steps:,} steps" if done else f"{steps:,} steps"
        self._print(f"{start.name}: {start.params / 1e6:.2f} M params, {going_on} of {start.images_per_step} images")
        self._bars.update(self._bar, description=escape(start.name), total=steps, completed=done, visible=True, note="")

    def stepped(self, points: Sequence[Point]) -> None:
        """Move the bar."""
        self._made += len(points)
        self._latest.extend(points)
        self._bars.update(self._bar, completed=points[-1].step, note=self._note)

    def validated(self, point: Point) -> None:
        """Note the loss; elsewhere than on a terminal, a line."""
        self._val_loss = point.val_loss
        if not self._console.is_terminal:
            self._print(f"step {point.step:,}: {self._note}")

    def drawing(self, share: float) -> None:
        """Say so beside the bar."""
        if self.start is not None:
            self._bars.update(self._bar, note=f"drawing {share:.0%}")

    def drawn(self, step: int, picture: Path) -> None:
        """Say where."""
        self._print(f"step {step:,}: {escape(str(picture))}")

    def notice(self, line: str) -> None:
        """Print it."""
        self._print(f"[yellow]{escape(line)}[/yellow]")

    def training_finished(self, folder: Path) -> None:
        """Say how long it took."""
        self._print(f"[green]{escape(str(folder))} is finished[/green], in {duration(time.monotonic() - self._began)}")

    @property
    def _note(self) -> str:
        """``loss 0.123, val_loss 0.12, 480 images/s, about 2 min left``"""
        assert self.start is not None
        latest = list(self._latest)
        parts = [f"loss {shown(sum(point.loss for point in latest) / len(latest))}"]
        if self._val_loss is not None:
            parts.append(f"val_loss {shown(self._val_loss)}")
        seconds = latest[-1].seconds - latest[0].seconds
        if seconds > 0:
            images = self.start.images_per_step * (len(latest) - 1)
            parts.append(f"{shown(images / seconds)} images/s")
        left = self.start.steps - latest[-1].step
        if left and self._made:
            parts.append(f"about {duration((time.monotonic() - self._began) / self._made * left)} left")
        return ", ".join(parts)

    def _move(self, stage: str, share: float) -> None:
        if stage != self._stage and not self._console.is_terminal:
            self._print(stage)
        self._stage = stage
        self._bars.update(self._bar, description=stage, completed=share, note=f"{share:.0%}", visible=True)

    def _print(self, line: str) -> None:
        stamp = "" if self._console.is_terminal else f"{time.strftime('%H:%M:%S')} "
        self._console.print(f"{stamp}{line}", highlight=False, soft_wrap=True)
