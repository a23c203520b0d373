"""Hands a study's rows to W&B, while it runs and afterwards."""

import csv
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from archlab.analysis.hypervolume import covered_after_each
from archlab.analysis.table import minimised
from archlab.errors import BadInput
from archlab.evaluation import Record
from archlab.study import Study, Watcher
from archlab.study.folder import StudyFolder
from archlab.tracking import Mirror, MirroredStudy, MirroredTrial, MirrorMode, open_mirror


class MirrorWatcher(Watcher):
    """A watcher that mirrors every finished trial, and the study at its end; the driver does not wait for W&B."""

    def __init__(self, mode: MirrorMode) -> None:
        self.mode = mode
        self.mirror: Mirror | None = None
        self.trials = 0
        self.thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mirror")
        self.handed: list[Future[None]] = []

    def study_started(self, study: Study) -> None:
        """Open the mirror; trials of earlier runs are there already."""
        self.files = study.files
        self.mirror = open_study_mirror(study, self.mode)

    def trial_finished(self, record: Record) -> None:
        """Mirror the trial with its curve and samples."""
        self.trials += 1
        if self.mirror is not None:
            self.handed.append(self.thread.submit(mirror_trial, self.mirror, self.files, record))

    def study_finished(self, study: Study, figure: Path) -> None:
        """Mirror the front, its figure and every trial, and wait until all is mirrored."""
        if self.mirror is not None and self.mirror.mode != "disabled" and self.trials:
            self.handed.append(self.thread.submit(self.mirror.study, study_rows(study, figure)))
        self.thread.shutdown()
        for handed in self.handed:
            handed.result()

    @property
    def remark(self) -> str | None:
        """One line for the user, if something is not mirrored as asked."""
        return self.mirror.notice if self.mirror else None


def open_study_mirror(study: Study, mode: MirrorMode) -> Mirror:
    """The mirror of a study; its files are in the study's folder."""
    return open_mirror(mode, study.name, study.settings.uid, study.folder, study.knobs)


def mirror_trial(mirror: Mirror, files: StudyFolder, record: Record) -> None:
    """Mirror a finished trial that is not a repeat or a refused combination."""
    if not record.counts:
        return
    folder, proxy = files.trial(record.trial), record.evaluation.proxy
    mirror.trial(
        MirroredTrial(
            row=record.row(),
            curve=_curve(folder / "curve.csv"),
            rungs=proxy.rungs if proxy else {},
            samples=folder / "samples.png",
        )
    )


def study_rows(study: Study, figure: Path) -> MirroredStudy:
    """What is mirrored of the study as it stands."""
    return MirroredStudy(
        config=study.resolved,
        trials=study.trials,
        front=study.front,
        growth=_growth(study),
        prices=_prices(study),
        figure=figure,
    )


def _growth(study: Study) -> pd.DataFrame:
    """Hypervolume after each finished trial, in the order in which they finished."""
    table = study.trials.assign(at=pd.to_datetime(study.trials["finished"], utc=True)).sort_values(["at", "trial"])
    scored = (table["status"] == "complete") & table[study.objectives].notna().all(axis=1)
    table.loc[scored, "hypervolume"] = covered_after_each(minimised(table[scored], study.objectives).to_numpy())
    share = table["hypervolume"].ffill().fillna(0.0)
    return pd.DataFrame({"finished": range(1, len(table) + 1), "trial": table["trial"], "hypervolume": share})


def _prices(study: Study) -> pd.DataFrame | None:
    from archlab.analysis.effects import price_list

    prices = price_list(study)
    return None if prices.empty else prices


def _curve(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        try:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        except (TypeError, ValueError) as error:
            raise BadInput(f"{path}: damaged: {error}; restore it, or delete it") from None
