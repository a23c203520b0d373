"""Reads a study's table and writes the report: one page, the front as a picture, the tables as files."""

from pathlib import Path

from archlab.analysis.table import StudyTable
from archlab.files import writable_folder, write_text
from archlab.report.cards import Card
from archlab.report.front import FrontInfo, front_info, further_charts
from archlab.report.snapshot import snapshot

__all__ = ["Card", "FrontInfo", "StudyTable", "front_info", "write_report"]


SAMPLES_MB = 24.0


def write_report(
    study: StudyTable, folder: Path, picks: dict[str, int] | None = None, samples_mb: float = SAMPLES_MB
) -> Path:
    """Write the report of a study, finished or not: ``index.html``, ``pareto.png`` and ``.svg``, ``trials.csv``, and
    ``front`` and ``prices`` as ``.csv``, ``.md`` and ``.tex``; of an ablation ``effects`` likewise and as a picture.
    Each whole or not at all.

    Further objectives have a picture each: a latency ``pareto_<device>``, a memory, size or score ``pareto_<column>``.

    Args:
        picks: what to mark on the front: a name (knee, best, fastest, …) and the trial's number.
        samples_mb: what samples may take of the page, as MB of text; those of the front come first.

    Returns:
        The path of ``index.html``.

    Raises:
        BadInput: the folder cannot be written.
    """
    from archlab.report.effects import prices, write_effects
    from archlab.report.front_table import front_table
    from archlab.report.html import render
    from archlab.report.pareto import write_pareto
    from archlab.report.tables import to_csv, write_tables
    from archlab.report.trials import trials_table

    study, folder, picks = snapshot(study), writable_folder(folder), picks or {}
    write_pareto(front_info(study, picks), folder)
    for column, (name, _) in further_charts(study).items():
        write_pareto(front_info(study, picks, column), folder, f"pareto_{name}")
    write_text(folder / "trials.csv", to_csv(trials_table(study)))
    write_tables({"front": front_table(study, picks), "prices": prices(study)}, folder)
    write_effects(study, folder)
    write_text(folder / "index.html", render(study, picks, samples_mb))
    return folder / "index.html"
