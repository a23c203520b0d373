"""The W&B mirror, read back from the files that W&B itself wrote."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archlab.errors import BadInput, MissingExtra
from archlab.tracking import CurvePoint, MirroredStudy, MirroredTrial, NoMirror, open_mirror
from archlab.tracking.login import is_logged_in
from archlab.tracking.wandb_run import Patience
from tests.tracking.read_back import kept_runs

TRIALS = pd.DataFrame(
    {
        "trial": [0, 1, 2],
        "status": ["complete", "gated", "complete"],
        "reason": [None, "params_m 512.3 is over the limit of 450.0", None],
        "architecture": ["aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"],
        "ff_ratio": [4.0, 8.0, 6.0],
        "res_blocks": ["2/3", 1, "1/1"],
        "params_m": [3.5, 512.3, 2.25],
        "latency_ms": [12.5, np.nan, 7.75],
        "latency_ms_pixel8": [31.5, np.nan, 20.25],
        "latency_kind_pixel8": ["estimated", None, "measured"],
        "quality": [0.17, np.nan, 0.21],
        "on_front": [True, False, True],
    }
)
KNOBS = ["ff_ratio", "res_blocks"]
CURVE = [CurvePoint(step, 1.0 / step) for step in (10, 20, 30)]
STUDY = MirroredStudy(
    settings={"search": {"trials": 3}},
    trials=TRIALS,
    front=TRIALS[TRIALS["on_front"]],
    growth=pd.DataFrame({"finished": [1, 2, 3], "trial": [0, 2, 1], "hypervolume": [0.25, 0.75, 0.75]}),
    prices=pd.DataFrame({"knob": ["ff_ratio"], "value": ["8"], "quality_change": [-0.01]}),
)


def row(number: int) -> dict[Any, Any]:
    return TRIALS.iloc[number].to_dict()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "picture.png"
    image.new("RGB", (8, 8), (200, 30, 30)).save(path)
    return path


def test_every_trial_is_a_run_and_the_study_is_one(tmp_path: Path, picture: Path) -> None:
    mirror = open_mirror("offline", "demo", "uid", tmp_path, KNOBS)
    no_curve: list[CurvePoint] = []
    for number, curve in enumerate((CURVE, no_curve, CURVE)):
        mirror.trial(MirroredTrial(row=row(number), curve=curve, samples=picture))
    mirror.study(STUDY)

    assert (mirror.notice, mirror.place) == (None, str(tmp_path / "wandb"))
    runs = kept_runs(tmp_path)
    assert [run.name for run in runs] == ["demo", "trial-0", "trial-1", "trial-2"]
    assert {run.run.run_group for run in runs} == {"demo"}
    assert [run.run.job_type for run in runs] == ["study", "trial", "trial", "trial"]
    assert [list(run.run.tags) for run in runs] == [[], ["complete"], ["gated"], ["complete"]]
    assert runs[3].config == {"trial": 2, "architecture": "cccccccccccc", "ff_ratio": 6.0, "res_blocks": "1/1"}
    assert runs[0].config == {"search": {"trials": 3}}


def test_the_studys_tables_show_samples(tmp_path: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As W&B's own files have its tables: a column of images, and the other columns each of one kind."""
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    open_mirror("offline", "demo", "uid", tmp_path, KNOBS).study(replace(STUDY, samples={2: picture}))

    staged = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    tables = [json.loads(content) for content in staged if content.startswith(b'{"_type": "table"')]
    trials = next(table for table in tables if len(table["data"]) == 3 and "res_blocks" in table["columns"])
    kinds = {
        name: {kind["wb_type"] for kind in known["params"]["allowed_types"]} - {"none"}
        for name, known in trials["column_types"]["params"]["type_map"].items()
    }
    assert (kinds["samples"], kinds["quality"], kinds["res_blocks"]) == ({"image-file"}, {"number"}, {"string"})
    rows = [dict(zip(trials["columns"], row, strict=True)) for row in trials["data"]]
    assert [row["samples"] and row["samples"]["_type"] for row in rows] == [None, None, "image-file"]
    assert [row["res_blocks"] for row in rows] == ["2/3", "1", "1/1"]
    assert picture.read_bytes() in staged


def test_curve_and_numbers_of_a_trial(tmp_path: Path, picture: Path) -> None:
    trial = MirroredTrial(row=row(0), curve=CURVE, rungs={20: 0.5, 30: 0.17}, samples=picture)
    open_mirror("offline", "demo", "uid", tmp_path).trial(trial)

    [run] = kept_runs(tmp_path)
    assert [(line["_step"], line["train/loss"], line.get("rung/quality")) for line in run.history] == [
        (10, pytest.approx(0.1), None), (20, pytest.approx(0.05), 0.5), (30, pytest.approx(1 / 30), 0.17),
    ]  # fmt: skip
    assert run.history[-1]["samples"]["_type"] == "image-file"
    assert len(list(run.folder.glob("files/media/images/*.png"))) == 1
    assert run.summary["latency_ms"] == 12.5
    assert run.summary["quality"] == 0.17
    assert run.summary["on_front"] is True


def test_what_was_not_measured_is_absent(tmp_path: Path) -> None:
    open_mirror("offline", "demo", "uid", tmp_path).trial(MirroredTrial(row=row(1)))

    [run] = kept_runs(tmp_path)
    assert run.summary["params_m"] == 512.3
    assert run.summary["reason"] == "params_m 512.3 is over the limit of 450.0"
    assert not {"latency_ms", "quality"} & run.summary.keys()


@pytest.mark.parametrize(
    ("status", "reason", "exit_code"),
    [("stopped", "rank 7 of 9 at 200 steps", 0), ("failed", "out of memory", 1), ("complete", None, 0)],
)
def test_how_a_trial_ended_is_in_its_run(status: str, reason: str | None, exit_code: int, tmp_path: Path) -> None:
    trial = MirroredTrial(row={"trial": 5, "status": status, "reason": reason}, curve=CURVE)
    open_mirror("offline", "demo", "uid", tmp_path).trial(trial)

    [run] = kept_runs(tmp_path)
    assert (run.summary["status"], run.summary.get("reason"), run.exit_code) == (status, reason, exit_code)
    assert run.steps == [10, 20, 30]


def test_the_study_has_its_tables_growth_and_picture(tmp_path: Path, picture: Path) -> None:
    mirror = open_mirror("offline", "demo", "uid", tmp_path)
    mirror.study(replace(STUDY, figure=picture))

    [run] = kept_runs(tmp_path)
    front, trials = run.table("front"), run.table("trials")
    assert front["columns"] == list(TRIALS.columns)
    assert [cells[0] for cells in front["data"]] == [0, 2]
    latency = trials["columns"].index("latency_ms")
    assert [cells[latency] for cells in trials["data"]] == [12.5, None, 7.75]
    assert run.table("price_list")["data"] == [["ff_ratio", "8", -0.01]]
    assert run.table("hypervolume_table")["data"] == [[1, 0, 0.25], [2, 2, 0.75], [3, 1, 0.75]]
    assert [(line["_step"], line["pareto"]["_type"]) for line in run.history] == [(3, "image-file")]
    counted = {"trials_finished": 3, "trials_complete": 2, "trials_gated": 1, "front_size": 2}
    assert counted.items() <= run.summary.items()


def test_several_seeds_are_their_mean_and_each() -> None:
    curve = [CurvePoint(10, loss, seed) for seed, loss in ((0, 0.25), (1, 0.75))]
    point = {"train/loss": 0.5, "train/loss_seed_0": 0.25, "train/loss_seed_1": 0.75}
    assert MirroredTrial(row={}, curve=curve).points == {10: point}


def test_run_id_follows_from_study_and_trial(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "again", "other")]
    for folder, uid in zip(folders, ("uid", "uid", "another"), strict=True):
        open_mirror("offline", "demo", uid, folder).trial(MirroredTrial(row={"trial": 3}))

    first, again, other = (kept_runs(folder)[0].run.run_id for folder in folders)
    assert first == again != other


def test_mirroring_again_leaves_one_folder_a_run(tmp_path: Path) -> None:
    for curve in (CURVE[:1], CURVE):
        mirror = open_mirror("offline", "demo", "uid", tmp_path)
        mirror.trial(MirroredTrial(row={"trial": 1}))
        mirror.trial(MirroredTrial(row={"trial": 11}, curve=curve))
        mirror.study(STUDY)
        time.sleep(1.1)  # W&B names a run's folder by the second

    runs = {run.name: run.steps for run in kept_runs(tmp_path)}
    assert runs == {"demo": [3], "trial-1": [], "trial-11": [10, 20, 30]}
    assert len(list(tmp_path.glob("wandb/offline-run-*"))) == 3


def test_disabled_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mirror in (
        open_mirror("disabled", "demo", "uid", tmp_path / "a"),
        _auto(monkeypatch, tmp_path, "disabled"),
    ):
        mirror.trial(MirroredTrial(row={"trial": 0}, curve=CURVE))
        mirror.study(STUDY)
        assert (mirror.mode, mirror.place, mirror.notice) == ("disabled", None, None)
    assert not list(tmp_path.rglob("*"))


def test_auto_honours_the_environment_then_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _auto(monkeypatch, tmp_path, None).mode == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password " + "k" * 40 + "\n")
    assert is_logged_in()
    assert _auto(monkeypatch, tmp_path, None).mode == "online"
    assert _auto(monkeypatch, tmp_path, "offline").mode == "offline"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not is_logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert is_logged_in()


def test_online_without_login_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not logged in: run `wandb login`"):
        open_mirror("online", "demo", "uid", tmp_path)


def test_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean 'offline'"):
        open_mirror("ofline", "demo", "uid", tmp_path)  # type: ignore[arg-type]  # the point of the test


def test_absent_wandb_changes_nothing_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    mirror = open_mirror("auto", "demo", "uid", tmp_path)
    assert isinstance(mirror, NoMirror)
    assert mirror.notice == "wandb is not installed: runs are not mirrored; pip install wandb"
    mirror.trial(MirroredTrial(row={"trial": 0}, curve=CURVE))
    assert not list(tmp_path.iterdir())
    with pytest.raises(MissingExtra, match=r"mirroring runs to W&B needs .*pip install archlab$"):
        open_mirror("offline", "demo", "uid", tmp_path)


def test_unreachable_server_leaves_the_runs_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    mirror = open_mirror("online", "demo", "uid", tmp_path, patience=Patience(begin=1))
    for number in (0, 2):
        mirror.trial(MirroredTrial(row=row(number), curve=CURVE))

    assert "`archlab track demo`" in str(mirror.notice)
    assert len(str(mirror.notice).splitlines()) == 1
    kept = [run.name for run in kept_runs(tmp_path) if run.steps == [10, 20, 30]]
    assert kept == ["trial-0", "trial-2"]


def test_full_disk_stops_the_mirror_not_the_study(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way of the folder")
    mirror = open_mirror("offline", "demo", "uid", blocked)
    mirror.trial(MirroredTrial(row={"trial": 0}, curve=CURVE))
    mirror.study(STUDY)
    assert mirror.mode == "stopped"
    assert "no longer mirrored" in str(mirror.notice)


def test_terminal_stays_silent_and_runs_are_quick(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from archlab.tracking import CurvePoint, MirroredTrial, open_mirror\n"
        "assert 'torch' not in sys.modules and 'wandb' not in sys.modules\n"
        "mirror = open_mirror('offline', 'demo', 'uid', Path(sys.argv[1]))\n"
        "def run(n): mirror.trial(MirroredTrial(row={'trial': n, 'quality': 0.5}, curve=[CurvePoint(10, 0.5)]))\n"
        "run(0)\n"
        "start = time.perf_counter()\n"
        "for n in range(1, 5): run(n)\n"
        "open(sys.argv[2], 'w').write(str((time.perf_counter() - start) / 4))\n"
    )
    started = time.perf_counter()
    seconds = tmp_path / "seconds"
    command = [sys.executable, "-c", script, str(tmp_path / "study"), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert float(seconds.read_text()) < 2.0
    assert time.perf_counter() - started < 60


def _auto(monkeypatch: pytest.MonkeyPatch, folder: Path, mode: str | None) -> Any:
    if mode is None:
        monkeypatch.delenv("WANDB_MODE", raising=False)
    else:
        monkeypatch.setenv("WANDB_MODE", mode)
    return open_mirror("auto", "demo", "uid", folder)
