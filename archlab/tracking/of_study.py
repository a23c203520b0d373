"""The rows of a study that are mirrored."""

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from archlab.analysis.effects import price_list
from archlab.analysis.health import health
from archlab.analysis.hypervolume import covered_after_each
from archlab.analysis.table import minimised
from archlab.errors import BadInput, RunFailed
from archlab.evaluation import Record
from archlab.study import Study
from archlab.tracking.mirror import Mirror, MirrorMode, open_mirror
from archlab.tracking.rows import CurvePoint, MirroredStudy, MirroredTrial
from archlab.tracking.wandb_run import PATIENCE, Patience


def open_study_mirror(study: Study, mode: MirrorMode, patience: Patience = PATIENCE) -> Mirror:
    """The mirror of a study; its files are in the study's folder.

    Raises:
        MissingExtra, BadInput: see `archlab.tracking.open_mirror`.
    """
    return open_mirror(mode, study.name, study.settings.uid, study.folder, study.knobs, patience)


def mirror_whole(mirror: Mirror, study: Study, records: Iterable[Record], figure: Path) -> MirroredStudy:
    """Mirror these trials of a study, and the study as it stands.

    Args:
        records: those to mirror, one after the other.
        figure: the picture of the front.

    Raises:
        BadInput: somebody damaged a trial's curve.
        RunFailed: W&B failed on the way.
    """
    asked = mirror.mode
    for record in records:
        if (trial := trial_rows(study, record)) is not None:
            mirror.trial(trial)
    rows = study_rows(study, figure)
    mirror.study(rows)
    if mirror.mode != asked:
        raise RunFailed(str(mirror.notice))
    return rows


def trial_rows(study: Study, record: Record) -> MirroredTrial | None:
    """What is mirrored of a finished trial; None for a repeat or a refused combination.

    Raises:
        BadInput: somebody damaged its curve.
    """
    if not record.is_distinct:
        return None
    folder, proxy = study.files.trial(record.trial), record.evaluation.proxy
    return MirroredTrial(
        row=record.row(study.settings.named_columns),
        curve=_curve(folder / "curve.csv"),
        rungs=proxy.rungs if proxy else {},
        samples=folder / "samples.png",
    )


def study_rows(study: Study, figure: Path) -> MirroredStudy:
    """What is mirrored of the study as it stands."""
    return MirroredStudy(
        settings=study.resolved,
        objectives=study.objectives,
        knobs=study.knobs,
        trials=study.trials,
        front=study.front,
        growth=_growth(study),
        prices=_prices(study),
        figure=figure,
        samples=_samples(study),
        health=health(study),
    )


def _samples(study: Study) -> dict[int, Path]:
    images = {record.trial: study.files.trial(record.trial) / "samples.png" for record in study.records}
    return {trial: image for trial, image in images.items() if image.is_file()}


def _growth(study: Study) -> pd.DataFrame:
    """Hypervolume after each finished trial, in the order in which they finished."""
    table = study.trials.assign(at=pd.to_datetime(study.trials["finished"], utc=True)).sort_values(["at", "trial"])
    scored = (table["status"] == "complete") & table[study.objectives].notna().all(axis=1)
    table.loc[scored, "hypervolume"] = covered_after_each(minimised(table[scored], study.objectives).to_numpy())
    share = table["hypervolume"].ffill().fillna(0.0)
    return pd.DataFrame({"finished": range(1, len(table) + 1), "trial": table["trial"], "hypervolume": share})


def _prices(study: Study) -> pd.DataFrame | None:
    prices = price_list(study)
    return None if prices.empty else prices


def _curve(path: Path) -> list[CurvePoint]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        try:
            rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
            return [CurvePoint(int(row["step"]), row["loss"], int(row["seed"])) for row in rows]
        except (KeyError, OverflowError, TypeError, ValueError, csv.Error) as error:
            raise BadInput(f"{path}: damaged: {error}; restore it, or delete it") from None
