"""Hands a running study's rows to W&B."""

import csv
from pathlib import Path
from typing import Any

from archlab.study import Study
from archlab.study.record import Record
from archlab.tracking import Mirror, MirrorMode, open_mirror


class MirrorWatcher:
    """A watcher that mirrors every finished trial, and the study at its end."""

    def __init__(self, mode: MirrorMode) -> None:
        self.mode = mode
        self.mirror: Mirror | None = None
        self.trials = 0

    def study_started(self, study: Study) -> None:
        """Open the mirror; trials of earlier runs are there already."""
        self.files = study.files
        self.mirror = open_mirror(self.mode, study.name, study.settings["uid"], study.folder, study.knobs)

    def trial_started(self, number: int | None, knobs: dict[str, Any]) -> None:
        """Nothing: a trial is mirrored once it is finished."""

    def progress(self, stage: str, done: float) -> None:
        """Nothing."""

    def trial_finished(self, record: Record) -> None:
        """Mirror the trial with its curve and samples."""
        self.trials += 1
        if self.mirror is not None and record.counts:
            folder = self.files.trial(record.trial)
            samples = folder / "samples.png"
            self.mirror.trial(record.row(), _curve(folder / "curve.csv"), samples if samples.is_file() else None)

    def study_finished(self, study: Study, figure: Path) -> None:
        """Mirror the front, its figure and every trial."""
        if self.mirror is not None and self.trials:
            self.mirror.study(study.trials, study.front, figure, study.settings)

    @property
    def notice(self) -> str | None:
        """One line for the user, if something is not mirrored as asked."""
        return self.mirror.notice if self.mirror else None


def _curve(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
