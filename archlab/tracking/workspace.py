"""A workspace on W&B: the charts of one study, arranged once."""

from pathlib import Path
from typing import Any

from archlab.errors import require
from archlab.evaluation.measures import better
from archlab.files import write_text
from archlab.tracking.rows import MirroredStudy


def save_workspace(saved: Path, entity: str, project: str, name: str, study: MirroredStudy) -> None:
    """Save the workspace of a study and note its address in ``saved``; where that is noted, leave it as its readers
    have arranged it since.

    Raises:
        MissingExtra: wandb-workspaces is not installed.
        Exception: whatever W&B has against it.
    """
    if saved.is_file():
        return
    workspaces = require("wandb_workspaces.workspaces", "a workspace on W&B")
    panels = require("wandb_workspaces.reports.v2", "a workspace on W&B")
    expressions = require("wandb_workspaces.expr", "a workspace on W&B")
    workspace = workspaces.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=[
            workspaces.Section(name="Front", panels=_front_panels(panels, study), is_open=True),
            workspaces.Section(name="Trials", panels=_trial_panels(panels, study), is_open=True),
        ],
        runset_settings=workspaces.RunsetSettings(filters=[expressions.Metric("Group") == name]),
    )
    write_text(saved, workspace.save().url + "\n")


def chart_titles(study: MirroredStudy) -> dict[str, str]:
    """Titles of the charts of quality against each other objective."""
    others = [name for name in study.objectives if name != "quality"]
    return {name: f"quality against {name} ({better(['quality', name])})" for name in others}


def _front_panels(panels: Any, study: MirroredStudy) -> list[Any]:
    charts = [
        panels.ScatterPlot(title=title, x=panels.SummaryMetric(name), y=panels.SummaryMetric("quality"))
        for name, title in chart_titles(study).items()
    ]
    growth = panels.CustomChart(
        query={"summaryTable": {"tableKey": "hypervolume_table"}},
        chart_name="wandb/line/v0",
        chart_fields={"x": "finished", "y": "hypervolume"},
        chart_strings={"title": "hypervolume by finished trials"},
    )
    picture = panels.MediaBrowser(title="front", media_keys=["pareto"])
    tables = [panels.WeavePanelSummaryTable(table_name=table) for table in study.tables]
    return [*charts, growth, picture, *tables]


def _trial_panels(panels: Any, study: MirroredStudy) -> list[Any]:
    knobs = [panels.Config(knob) for knob in study.knobs]
    objectives = [panels.SummaryMetric(name) for name in study.objectives]
    columns = [panels.ParallelCoordinatesPlotColumn(metric=metric) for metric in (*knobs, *objectives)]
    return [
        panels.LinePlot(title="training loss", x="Step", y=["train/loss"]),
        panels.LinePlot(title="quality at the rungs", x="Step", y=["rung/quality"]),
        panels.ParallelCoordinatesPlot(title="knobs and objectives", columns=columns),
        panels.MediaBrowser(title="samples", media_keys=["samples"]),
    ]
