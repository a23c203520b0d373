"""``archlab track`` and the watcher of a running study, on a study that was never run."""

from dataclasses import replace
from pathlib import Path

import moocore
import numpy as np
import pytest
from click.testing import CliRunner, Result

from archlab.cli.track import track
from archlab.errors import BadInput, RunFailed
from archlab.study import Study, load_study
from archlab.tracking.of_study import mirror_whole, open_study_mirror, study_rows
from archlab.tracking.wandb_run import Patience
from archlab.tracking.watcher import MirrorWatcher
from tests.study.made_up import write_study
from tests.tracking.read_back import kept_runs
from tests.tracking.stand_in import StandIn

STATUSES = ["complete", "complete", "complete", "gated", "stopped", "failed"]
NAMES = ["mini", *(f"trial-{number}" for number in range(len(STATUSES)))]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Three trained trials, and one gated, stopped, failed and repeated each; the last one finished first."""
    study = write_study(tmp_path / "studies", statuses="gated stopped failed repeat", complete=3)
    for record in study.records:
        folder = study.files.trial(record.trial)
        replace(record, finished=f"2026-01-01T00:00:{59 - record.trial}+00:00").save(folder / "evaluation.json")
        if record.evaluation.status in ("complete", "stopped"):
            (folder / "curve.csv").write_text("seed,step,loss,seconds\n0,1,0.5,0.1\n0,2,0.25,0.2\n")
    return load_study(study.name, study.folder.parent)


def run_track(study: Study, *arguments: str) -> Result:
    return CliRunner().invoke(track, [study.name, "--studies", str(study.folder.parent), *arguments])


def test_the_whole_mirror_is_rebuilt_from_the_table(study: Study) -> None:
    shown = run_track(study, "--wandb", "offline")

    assert (shown.exit_code, shown.stdout) == (0, f"{study.folder / 'wandb'}\n")
    run, *trials = kept_runs(study.folder)
    assert [kept.name for kept in (run, *trials)] == NAMES
    assert [trial.summary["status"] for trial in trials] == STATUSES
    assert [trial.summary.get("reason") for trial in trials] == [
        record.evaluation.reason for record in study.records[:6]
    ]
    assert [trial.steps for trial in trials] == [[1, 2, 3], [1, 2, 3], [1, 2, 3], [], [1, 2], []]
    proxy = study.records[0].evaluation.proxy
    assert proxy is not None
    assert [line.get("rung/quality") for line in trials[0].history] == [None, proxy.rungs[2], proxy.rungs[3]]
    assert [cells[0] for cells in run.table("front")["data"]] == study.front["trial"].tolist()
    assert len(run.table("trials")["data"]) == len(study.records)
    assert {"knob", "value", "quality_change"} <= set(run.table("price_list")["columns"])
    assert len(run.table("hypervolume_table")["data"]) == len(study.records)
    assert run.history[-1]["pareto"]["_type"] == "image-file"


def test_hypervolume_grows_in_the_order_in_which_trials_finished(study: Study) -> None:
    growth = study_rows(study, study.folder / "no picture").growth.to_numpy().tolist()

    assert [cells[:2] for cells in growth] == [[1, 6], [2, 5], [3, 4], [4, 3], [5, 2], [6, 1], [7, 0]]
    points = study.trials[study.objectives].to_numpy(float)[:3]
    scaled = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    areas = [moocore.hypervolume(scaled[first:], ref=1.1) / 1.1**2 for first in (2, 1, 0)]
    assert [cells[2] for cells in growth] == pytest.approx([0, 0, 0, 0, *areas])


def test_nothing_trained_covers_nothing(tmp_path: Path) -> None:
    rows = study_rows(write_study(tmp_path, statuses="gated failed", complete=0), tmp_path / "no picture")
    assert rows.growth["hypervolume"].tolist() == [0, 0]
    assert rows.summary == {
        "trials_finished": 2, "trials_gated": 1, "trials_failed": 1, "front_size": 0, "front_noisy": 0, "health": "",
    }  # fmt: skip


def test_a_mirror_that_lacks_trials_is_completed(study: Study) -> None:
    watcher = MirrorWatcher("offline")
    watcher.study_started(study)
    for record in study.records[:3]:
        watcher.trial_finished(record)
    watcher.study_finished(study, study.folder / "no picture")
    assert watcher.remark is None
    assert [run.name for run in kept_runs(study.folder)] == NAMES[:4]

    assert run_track(study).exit_code == 0
    assert [run.name for run in kept_runs(study.folder)] == NAMES


def test_online_it_says_where_to_look(study: Study, server: StandIn) -> None:
    shown = run_track(study, "--wandb", "online")
    assert (shown.exit_code, shown.stdout) == (0, f"{server.url}/tester/archlab\n")
    assert "wandb" not in shown.stderr
    assert sorted(server.by_name()) == NAMES


def test_a_server_that_goes_away_is_a_failed_run(study: Study, server: StandIn) -> None:
    server.dies_in = "trial-4"
    mirror = open_study_mirror(study, "online", Patience(end=4))
    with pytest.raises(RunFailed, match="send them with `archlab track mini`"):
        mirror_whole(mirror, study, study.records, study.folder / "no picture")
    assert [run.name for run in kept_runs(study.folder) if run.is_offline] == ["mini", "trial-4", "trial-5"]


def test_a_damaged_curve_is_named(study: Study) -> None:
    curve = study.files.trial(0) / "curve.csv"
    curve.write_text("seed,step,loss,seconds\n0,1,0.5")
    shown = run_track(study, "--wandb", "offline").exception
    assert isinstance(shown, BadInput)
    assert str(shown).startswith(f"{curve}: damaged")


def test_what_cannot_be_mirrored_is_said(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert "WANDB_MODE is disabled" in str(run_track(study).exception)
    for record in study.records:
        (study.files.trial(record.trial) / "evaluation.json").unlink()
    empty = run_track(study, "--wandb", "offline").exception
    assert isinstance(empty, BadInput)
    assert str(empty) == "study mini has no finished trial yet"
