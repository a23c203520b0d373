"""What a running study shows: two bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from archlab.evaluation import Evaluation, Record
from archlab.progress import Progress
from archlab.study import Study, StudyDefinition, Watcher
from archlab.study.ready import make_ready
from archlab.terminal.listing import shown
from archlab.terminal.stages import in_words

if TYPE_CHECKING:
    from archlab.study.surrogate import Gain

_OF_TRAINING = ("train", "sample", "score")  # stages
_WIDE_SCREEN, _WIDE_BAR, _NARROW_BAR, _WIDE_NAME, _NARROW_NAME = 100, 24, 10, 36, 22  # columns
_BASELINE, _DATA, _FRONT = "baseline", "data", "the front"


class _Narrower:
    """Leaves room for the ``^C`` of a terminal: in a line of its own it would keep what is above from being erased."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self._shown, options.update_width(options.max_width - len("^C")))


class _BarsOverALine(Bars):
    """Bars, and below them a line of text, cut where the screen ends."""

    line = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        shown = list(super().get_renderables())
        if self.line:
            shown.append(Text(self.line, no_wrap=True, overflow="ellipsis"))
        yield _Narrower(Group(*shown))


class LiveDisplay(Watcher):
    """A watcher that shows trials, their stages of work, best so far and time left; a context manager.

    Args:
        name: the study's, shown until it has begun.
    """

    def __init__(self, console: Console, name: str = "") -> None:
        self.console = console
        is_wide = console.width >= _WIDE_SCREEN
        bar, widest = (_WIDE_BAR, _WIDE_NAME) if is_wide else (_NARROW_BAR, _NARROW_NAME)
        rest = max(1, console.width - len("^C") - widest - bar - len("0:00:00") - len("   "))
        columns = (
            TextColumn("{task.description}", table_column=_cut_at(widest)),
            BarColumn(bar_width=bar),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", table_column=_cut_at(rest)),
        )
        self.bars = _BarsOverALine(*columns, console=console, disable=not console.is_terminal)
        self.study_bar = self.bars.add_task(name, total=None, note="getting ready")
        self.trial_bars: dict[str, TaskID] = {}
        self.stages: dict[str, str] = {}
        self.at_once = 1
        self.paused = set[int]()
        self.done = 0
        self.best: Record | None = None
        self.seconds: list[float] = []
        self.baseline_seconds: float | None = None  # of its training: the estimate before any trial has ended
        self.wanted, self.baseline = 0, dict[str, Any]()
        self.gain: Gain | None = None

    def __enter__(self) -> "LiveDisplay":
        self.bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave the last state; of a study that was broken off, what it has, and not what it was doing."""
        if kind is None:
            for bar in self.trial_bars.values():
                self.bars.update(bar, completed=1.0)
        else:
            for name in list(self.trial_bars):
                self._end(name)
            self.bars.update(self.study_bar, note=", ".join(self._counts) if self.wanted else "")
        self.bars.stop()

    def study_started(self, study: Study) -> None:
        """Show what earlier runs finished."""
        self.wanted, self.baseline = study.trials_wanted, study.space.baseline_values
        for record in study.records:
            self._count(record)
        if study.records:
            baseline = " and the baseline" if any(record.is_free for record in study.records) else ""
            self._print(f"{study.name}: going on after {self.done} of {self.wanted} trials{baseline}")
        self.bars.update(self.study_bar, description=study.name, total=self.wanted)
        self._update()

    def trial_started(self, number: int | None, knobs: dict[str, Any]) -> None:
        """Name the trial and its knobs, as far as they are not the baseline's."""
        self._end(_BASELINE)
        own = {name: value for name, value in knobs.items() if number is None or value != self.baseline.get(name)}
        choice = " ".join(f"{name}={shown(value)}" for name, value in own.items()) or "as the baseline"
        self._print(f"{_name(number)}: [dim]{escape(choice)}[/dim]")
        self._begin(_name(number))
        self._update()

    def progress(self, number: int | None, stage: str, done: float) -> None:
        """Move the trial's bar; elsewhere than on a terminal, a line when the stage changes."""
        self._move(_name(number), stage, done)

    def make_ready(self, definition: StudyDefinition) -> None:
        """Do what a new study needs before any trial, with a bar, or lines; say what is left out.

        Raises:
            BadInput: see `archlab.study.ready.make_ready`.
        """
        with self.making_ready() as progress:
            notices = make_ready(definition, progress)
        for notice in notices:
            self.notice(notice)

    @contextmanager
    def making_ready(self) -> Iterator[Progress]:
        """A bar, or lines, for what is done before any trial."""
        self._begin(_DATA)
        yield partial(self._move, _DATA)
        self._end(_DATA)

    def trial_paused(self, number: int, rung: int, quality: float) -> None:
        """Print how far it is and how good it was there."""
        self._end(_name(number))
        self.paused.add(number)
        self._update()
        self._print(f"{_name(number)}: [dim]paused at {rung} steps, quality {shown(quality)}[/dim]")

    def trial_resumed(self, number: int, until: int) -> None:
        """Print how far it is trained now."""
        self.paused.discard(number)
        self._print(f"{_name(number)}: [dim]resumed, up to {until} steps[/dim]")
        self._begin(_name(number))

    def trial_finished(self, record: Record) -> None:
        """Print the outcome."""
        self._end(_name(record.trial))
        self.paused.discard(record.trial)
        self._count(record)
        if record.is_distinct:
            self.seconds.append(record.seconds)
        row = record.row()
        if row["status"] == "complete":
            parts = [f"quality {shown(row['quality'])}", *_latencies(record.evaluation)]
            outcome = f"[green]{escape(', '.join(parts))}[/green]"
        else:
            ending = str(row["reason"]) if row["status"] == "stopped" else f"{row['status']}: {row['reason']}"
            outcome = f"[yellow]{escape(ending)}[/yellow]"
        self._update()
        note = "" if self.console.is_terminal else f" ({self._note})"
        self._print(f"trial {record.trial}: {outcome} [dim]in {duration(record.seconds)}[/dim]{note}")

    def trial_learned(self, record: Record) -> None:
        """Count it."""
        self._count(record)
        self._update()

    def gain_expected(self, gain: "Gain | None") -> None:
        """Show it beside the study's bar, and with the next trial that ends."""
        self.gain = gain
        self._update()

    def confirming(self, device: str, done: float) -> None:
        """Move the front's bar, which stays until the end."""
        if _FRONT not in self.trial_bars:
            self._end(_BASELINE)
            self._begin(_FRONT)
        self._move(_FRONT, f"confirm on {device}", done)

    def notice(self, line: str) -> None:
        """Print it."""
        self._print(f"[yellow]{escape(line)}[/yellow]")

    def _begin(self, name: str) -> None:
        self.trial_bars[name] = self.bars.add_task(name, total=1.0, note="getting ready")
        self.at_once = max(self.at_once, len(self.trial_bars))

    def _move(self, name: str, stage: str, done: float) -> None:
        if stage != self.stages.get(name) and not self.console.is_terminal:
            self._print(f"{name}: {in_words(stage)}")
        self.stages[name] = stage
        if name in self.trial_bars:
            self.bars.update(self.trial_bars[name], completed=done, note=f"{in_words(stage)} {done:.0%}")

    def _end(self, name: str) -> None:
        """It is not under way any more."""
        is_trained = self.stages.pop(name, None) in _OF_TRAINING
        if name in self.trial_bars:
            bar = self.trial_bars.pop(name)
            if name == _BASELINE and is_trained:
                self.baseline_seconds = self.bars.tasks[self.bars.task_ids.index(bar)].elapsed
            self.bars.remove_task(bar)

    def _count(self, record: Record) -> None:
        self.done += record.counts
        if record.evaluation.status == "complete" and (self.best is None or _quality(record) < _quality(self.best)):
            self.best = record

    @property
    def _note(self) -> str:
        return ", ".join([*self._counts, *self._best, *self._time_left, *self._gain])

    @property
    def _counts(self) -> list[str]:
        paused = [f"{len(self.paused)} paused"] if self.paused else []
        return [f"{self.done} of {self.wanted} trials", *paused]

    @property
    def _best(self) -> list[str]:
        if self.best is None:
            return []
        best = [f"best quality {shown(_quality(self.best))}", *_latencies(self.best.evaluation)]
        return [f"{' at '.join(best)} in trial {self.best.trial}"]

    @property
    def _time_left(self) -> list[str]:
        known = self.seconds or ([self.baseline_seconds] if self.baseline_seconds else [])
        if not known or self.done >= self.wanted:
            return []
        return [f"about {duration(sum(known) / len(known) * (self.wanted - self.done) / self.at_once)} left"]

    @property
    def _gain(self) -> list[str]:
        return [] if self.gain is None else [f"a further hour: {self.gain.mean:+.1%} of hypervolume expected"]

    def _update(self) -> None:
        self.bars.update(self.study_bar, completed=self.done, note=", ".join([*self._counts, *self._time_left]))
        self.bars.line = ", ".join([*self._best, *self._gain])

    def _print(self, line: str) -> None:
        stamp = "" if self.console.is_terminal else f"{time.strftime('%H:%M:%S')} "
        self.console.print(f"{stamp}{line}", highlight=False, soft_wrap=not self.console.is_terminal)


def _cut_at(width: int) -> Column:
    return Column(no_wrap=True, overflow="ellipsis", max_width=width)


def _quality(record: Record) -> float:
    return float(record.evaluation.cells()["quality"])


def _name(number: int | None) -> str:
    return _BASELINE if number is None else f"trial {number}"


def _latencies(evaluation: Evaluation) -> list[str]:
    """``7.5 ms``; of several devices each with its name, and no estimate looks measured, nothing noisy quiet."""
    said = []
    for name, latency in evaluation.latency.items():
        where = f" on {name}" if len(evaluation.latency) > 1 else ""
        kind = " (estimated)" if latency.kind == "estimated" else " (noisy)" if latency.noisy else ""
        said.append(f"{shown(latency.median_ms)} ms{where}{kind}")
    return said


def duration(seconds: float) -> str:
    """``80 s``, ``12 min`` or ``3.1 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
