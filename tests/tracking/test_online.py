"""The mirror online, against a stand-in of W&B's server."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from archlab.tracking import CurvePoint, Mirror, MirroredStudy, MirroredTrial, open_mirror
from archlab.tracking.wandb_run import PATIENCE, Patience
from tests.tracking.read_back import kept_runs
from tests.tracking.stand_in import ENTITY, StandIn

TRIAL = MirroredTrial(
    row={"trial": 3, "status": "complete", "architecture": "aaaaaaaaaaaa", "ff_ratio": 4, "quality": 0.25},
    curve=[CurvePoint(step, 1.0 / step) for step in range(1, 41)],
    rungs={20: 0.5, 40: 0.25},
)
STUDY = MirroredStudy(
    settings={"knobs": {"ff_ratio": {"values": [4, 8]}}, "search": {"trials": 2}},
    objectives=["quality", "macs_g"],
    knobs=["ff_ratio"],
    trials=pd.DataFrame({"trial": [3, 4], "status": ["complete", "gated"], "quality": [0.25, None]}),
    front=pd.DataFrame({"trial": [3], "quality": [0.25]}),
    growth=pd.DataFrame({"finished": [1, 2], "trial": [3, 4], "hypervolume": [0.5, 0.5]}),
    prices=pd.DataFrame({"knob": ["ff_ratio"], "value": ["8"], "quality_change": [-0.01]}),
)


def mirror_in(folder: Path, patience: Patience = PATIENCE) -> Mirror:
    return open_mirror("online", "demo", "uid", folder, knobs=["ff_ratio"], patience=patience)


def test_a_trial_arrives_whole(server: StandIn, tmp_path: Path) -> None:
    mirror = mirror_in(tmp_path)
    mirror.trial(TRIAL)

    assert mirror.notice is None
    [run] = server.runs.values()
    assert (run.variables["project"], run.variables["groupName"], run.variables["jobType"]) == (
        "archlab",
        "demo",
        "trial",
    )
    assert (run.variables["displayName"], run.variables["tags"]) == ("trial-3", ["complete"])
    assert run.config == {"trial": 3, "architecture": "aaaaaaaaaaaa", "ff_ratio": 4}
    assert [line["_step"] for line in run.history] == list(range(1, 41))
    assert [line["train/loss"] for line in run.history] == pytest.approx([1 / step for step in range(1, 41)])
    assert {line["_step"]: line["rung/quality"] for line in run.history if "rung/quality" in line} == TRIAL.rungs
    assert (run.summary["quality"], run.summary["status"], run.exit_code) == (0.25, "complete", 0)


def test_the_study_arrives_whole(server: StandIn, tmp_path: Path) -> None:
    mirror = mirror_in(tmp_path)
    mirror.study(STUDY)

    assert (mirror.notice, mirror.place) == (None, f"{server.url}/{ENTITY}/archlab")
    [(name, run)] = server.runs.items()
    assert (run.variables["groupName"], run.variables["jobType"]) == ("demo", "study")
    assert run.config == STUDY.settings
    assert run.summary["front_size"] == 1
    assert run.summary["trials_gated"] == 1
    keys = ("trials", "front", "price_list", "hypervolume_table")
    tables = {key: json.loads(server.files[f"{name}/{run.summary[key]['path']}"]) for key in keys}
    assert tables["trials"]["data"] == [[3, "complete", 0.25], [4, "gated", None]]
    assert tables["front"]["data"] == [[3, 0.25]]
    assert tables["price_list"]["data"] == [["ff_ratio", "8", -0.01]]
    assert tables["hypervolume_table"]["data"] == [[1, 3, 0.5], [2, 4, 0.5]]


def test_mirroring_again_repeats_no_step(server: StandIn, tmp_path: Path) -> None:
    for folder, trials in (("here", 2), ("elsewhere", 20)):
        mirror = mirror_in(tmp_path / folder)
        mirror.trial(TRIAL)
        mirror.study(replace(STUDY, settings={**STUDY.settings, "search": {"trials": trials}}))
        assert mirror.notice is None

    runs = server.by_name()
    assert sorted(runs) == ["demo", "trial-3"]
    assert [line["_step"] for line in runs["trial-3"].history] == list(range(1, 41))
    assert [line["_step"] for line in runs["demo"].history] == [2, 3]  # the study as it stood, twice
    assert runs["demo"].config["search"] == {"trials": 20}


def test_half_a_curve_is_completed(server: StandIn, tmp_path: Path) -> None:
    mirror = mirror_in(tmp_path)
    mirror.trial(MirroredTrial(row={"trial": 3}, curve=TRIAL.curve[:15]))
    mirror.trial(TRIAL)

    [run] = server.runs.values()
    assert [line["_step"] for line in run.history] == list(range(1, 41))
    assert run.summary["quality"] == 0.25


def test_a_failed_trial_is_a_failed_run(server: StandIn, tmp_path: Path) -> None:
    mirror_in(tmp_path).trial(MirroredTrial(row={"trial": 0, "status": "failed", "reason": "out of memory"}))

    [run] = server.runs.values()
    assert (run.exit_code, run.summary["reason"]) == (1, "out of memory")


def test_a_server_that_dies_in_mid_run_leaves_every_run_on_disk(server: StandIn, tmp_path: Path) -> None:
    mirror = mirror_in(tmp_path, Patience(end=4))
    mirror.trial(MirroredTrial(row={**TRIAL.row, "trial": 2}, curve=TRIAL.curve))
    server.dies_in = "trial-3"
    mirror.trial(TRIAL)
    mirror.trial(MirroredTrial(row={**TRIAL.row, "trial": 4}, curve=TRIAL.curve))

    assert mirror.mode == "offline"
    assert "send them with `archlab track demo`" in str(mirror.notice)
    assert [name for name, run in server.by_name().items() if run.history] == ["trial-2"]
    kept = {run.name: run.steps for run in kept_runs(tmp_path) if run.is_offline}
    assert kept == {"trial-3": list(range(1, 41)), "trial-4": list(range(1, 41))}


def test_a_workspace_is_saved_once(server: StandIn, tmp_path: Path) -> None:
    pytest.importorskip("wandb_workspaces")
    for _ in range(2):
        mirror_in(tmp_path).study(STUDY)

    [view] = server.views
    assert (view["entityName"], view["projectName"], view["displayName"]) == (ENTITY, "archlab", "demo")
    spec = json.dumps(json.loads(view["spec"]))
    for part in ("quality", "macs_g", "hypervolume", "train/loss", "ff_ratio", "price_list", "pareto", "samples"):
        assert part in spec
    assert (tmp_path / "wandb" / "workspace.url").read_text().startswith(f"{server.url}/{ENTITY}/archlab?nw=")


def test_a_refused_workspace_is_one_notice(server: StandIn, tmp_path: Path) -> None:
    pytest.importorskip("wandb_workspaces")
    server.refuses = {"UpsertView2"}
    mirror = mirror_in(tmp_path)
    mirror.study(STUDY)

    assert mirror.mode == "online"
    assert "no W&B workspace was saved" in str(mirror.notice)
    assert len(str(mirror.notice).splitlines()) == 1
