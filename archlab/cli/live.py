"""What a running study shows: two bars on a terminal, plain lines elsewhere."""

import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from archlab.cli.listing import shown
from archlab.study import Study
from archlab.study.record import Evaluation, Record

STAGES = {
    "convert": "converting the target",
    "measure": "measuring latency",
    "wait": "waiting for the device",
    "train": "training the proxy",
    "sample": "sampling images",
    "score": "scoring",
}


class LiveDisplay:
    """A watcher that shows trial, stage of work, best so far and time left; a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[note]}"))
        self.bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self.study_bar = self.bars.add_task("", total=None, note="")
        self.trial_bar = self.bars.add_task("", total=1.0, note="")
        self.records: list[Record] = []
        self.seconds: list[float] = []
        self.wanted = 0
        self.trial = self.stage = ""

    def __enter__(self) -> "LiveDisplay":
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def study_started(self, study: Study) -> None:
        """Show what earlier runs finished."""
        self.wanted, self.records = study.trials_wanted, list(study.records)
        if self.records:
            self._print(f"{study.name}: going on after {self._done} of {self.wanted} trials")
        self.bars.update(self.study_bar, description=study.name, total=self.wanted)
        self._update()

    def trial_started(self, number: int | None, knobs: dict[str, Any]) -> None:
        """Name the trial and its knobs."""
        self.trial, self.stage = ("baseline" if number is None else f"trial {number}"), ""
        choice = " ".join(f"{name}={shown(value)}" for name, value in knobs.items())
        self._print(f"{self.trial}: [dim]{escape(choice)}[/dim]")
        self.bars.update(self.trial_bar, description=self.trial, completed=0.0, note="")

    def progress(self, stage: str, done: float) -> None:
        """Move the trial's bar; elsewhere than on a terminal, a line when the stage changes."""
        if stage != self.stage and not self.console.is_terminal:
            self._print(f"{self.trial}: {_in_words(stage)}")
        self.stage = stage
        self.bars.update(self.trial_bar, completed=done, note=f"{_in_words(stage)} {done:.0%}")

    def trial_finished(self, record: Record) -> None:
        """Print the outcome."""
        self.records.append(record)
        if record.counts:
            self.seconds.append(record.seconds)
        row = record.row()
        if row["status"] == "complete":
            parts = [f"quality {shown(row['quality'])}", *_latencies(record.evaluation)]
            outcome = f"[green]{escape(', '.join(parts))}[/green]"
        else:
            outcome = f"[yellow]{row['status']}[/yellow]: {escape(str(row['reason']))}"
        self._update()
        note = "" if self.console.is_terminal else f" ({self._note})"
        self._print(f"trial {record.trial}: {outcome} [dim]in {_duration(record.seconds)}[/dim]{note}")

    @property
    def _done(self) -> int:
        return sum(record.counts for record in self.records)

    @property
    def _note(self) -> str:
        parts = [f"{self._done} of {self.wanted} trials"]
        scored = [record.row() for record in self.records if record.evaluation.status == "complete"]
        if scored:
            best = min(scored, key=lambda row: float(row["quality"]))
            parts.append(f"best quality {shown(best['quality'])} in trial {best['trial']}")
        if self.seconds and self._done < self.wanted:
            left = sum(self.seconds) / len(self.seconds) * (self.wanted - self._done)
            parts.append(f"about {_duration(left)} left")
        return ", ".join(parts)

    def _update(self) -> None:
        self.bars.update(self.study_bar, completed=self._done, note=self._note)

    def _print(self, line: str) -> None:
        stamp = "" if self.console.is_terminal else f"{time.strftime('%H:%M:%S')} "
        self.console.print(f"{stamp}{line}", highlight=False, soft_wrap=True)


def _in_words(stage: str) -> str:
    """``measuring latency (pixel8)`` for ``measure on pixel8``."""
    word, _, device = stage.partition(" on ")
    return STAGES.get(word, word) + (f" ({device})" if device else "")


def _latencies(evaluation: Evaluation) -> list[str]:
    """``7.5 ms``; of several devices each with its name, and no estimate looks measured."""
    said = []
    for name, latency in evaluation.latency.items():
        where = f" on {name}" if len(evaluation.latency) > 1 else ""
        kind = " (estimated)" if latency["provenance"]["kind"] == "estimated" else ""
        said.append(f"{shown(latency['median_ms'])} ms{where}{kind}")
    return said


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
