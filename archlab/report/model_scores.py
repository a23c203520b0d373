"""Scores of models as files: the table that papers have, and FID against the time of an image as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from archlab.evaluation import MEASURES, Score
from archlab.evaluation.measures import column_suffixes
from archlab.evaluation.model_scores import ModelScores
from archlab.files import writable_folder, write_text
from archlab.report.picture import write_picture
from archlab.report.scores_chart import scores_figure, scores_info
from archlab.report.table import text
from archlab.report.tables import to_csv, to_latex, to_markdown

STEM = "scores"


def write_scores(rows: Sequence[ModelScores], folder: Path) -> list[Path]:
    """Write ``scores.csv`` (every number by itself, full precision), ``.md`` and ``.tex`` (value ± error), and FID
    against the time of an image as ``scores.png`` and ``.svg``, for further devices as ``scores_<device>``.

    Returns:
        The pictures' paths.

    Raises:
        BadInput: the folder cannot be written.
    """
    folder, shown = writable_folder(folder), shown_scores(rows)
    write_text(folder / f"{STEM}.csv", to_csv(scores_table(rows)))
    write_text(folder / f"{STEM}.md", to_markdown(shown))
    write_text(folder / f"{STEM}.tex", to_latex(shown))
    pictures = []
    for device, suffix in column_suffixes(_devices(rows) or [""]).items():
        if (info := scores_info(rows, device)) is not None:
            write_picture(lambda info=info: scores_figure(info), folder / f"{STEM}{suffix}")  # type: ignore[misc]
            pictures.append(folder / f"{STEM}{suffix}.png")
    return pictures


def scores_table(rows: Sequence[ModelScores]) -> pd.DataFrame:
    """A row for each model and number of steps, empty cells where a number is not known."""
    return pd.DataFrame([row.row() for row in rows])


def shown_scores(rows: Sequence[ModelScores]) -> pd.DataFrame:
    """The same as people read it: scores ± their standard errors.

    FID is headed by its label; KID, precision and recall are of the same images and features.
    """
    return pd.DataFrame([_shown(row) for row in rows])


def _shown(row: ModelScores) -> dict[str, Any]:
    cells: dict[str, Any] = {"model": row.model, "steps": row.steps, "passes": row.passes}
    for name, score in row.scores.items():
        cells[score.label if name in ("fid", "val_loss") else MEASURES[name].heading] = _with_error(score)
    for device, latency in row.latency.items():
        where = f", {device}" if len(row.latency) > 1 else ""
        noisy = " (noisy)" if latency.noisy else ""
        cells[f"latency (ms{where})"] = f"{text(latency.median_ms)}{noisy}"
        cells[f"image (ms{where})"] = f"{text(row.image_ms[device])}{noisy}"
    return cells | {"params (M)": row.params_m, "MACs (G)": row.macs_g}


def _with_error(score: Score) -> str:
    """``1.52 ± 0.08``: the error with two significant digits, the value to the same place."""
    if not score.error > 0:
        return text(score.value)
    places = max(0, 1 - int(f"{score.error:.1e}".split("e")[1]))
    return f"{score.value:.{places}f} ± {score.error:.{places}f}"


def _devices(rows: Sequence[ModelScores]) -> list[str]:
    return list(dict.fromkeys(device for row in rows for device in row.latency))
