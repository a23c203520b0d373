"""The W&B mirror, read back from the files that W&B itself wrote."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archlab.errors import BadInput, MissingExtra
from archlab.tracking import NoMirror, open_mirror
from archlab.tracking.login import is_logged_in

ReadRuns = Callable[[Path], list[list[Any]]]

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
CURVE = [{"seed": 0, "step": step, "loss": 1.0 / step, "seconds": step / 10} for step in (10, 20, 30)]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "samples.png"
    image.new("RGB", (8, 8), (200, 30, 30)).save(path)
    return path


def test_every_trial_is_a_run_and_the_study_is_one(tmp_path: Path, samples: Path, read_runs: ReadRuns) -> None:
    mirror = open_mirror("offline", "demo", "uid", tmp_path)
    for row in TRIALS.to_dict("records"):
        mirror.trial(row, CURVE if row["status"] == "complete" else [], samples)
    mirror.study(TRIALS, TRIALS[TRIALS["on_front"]], samples, {"search": {"trials": 3}})

    assert mirror.notice is None
    runs = {_run(records).display_name: records for records in read_runs(tmp_path)}
    assert sorted(runs) == ["demo", "trial-0", "trial-1", "trial-2"]
    assert {_run(records).run_group for records in runs.values()} == {"demo"}
    assert [_run(runs[name]).job_type for name in sorted(runs)] == ["study", "trial", "trial", "trial"]
    assert _config(runs["trial-2"]) == {
        "trial": 2, "architecture": "cccccccccccc", "ff_ratio": 6.0, "res_blocks": "1/1",
    }  # fmt: skip
    assert _config(runs["demo"]) == {"search": {"trials": 3}}


def test_curve_and_numbers_of_a_trial(tmp_path: Path, samples: Path, read_runs: ReadRuns) -> None:
    open_mirror("offline", "demo", "uid", tmp_path).trial(TRIALS.iloc[0].to_dict(), CURVE, samples)

    [records] = read_runs(tmp_path)
    history = _history(records)
    assert [(h["_step"], h["train/loss"]) for h in history if "train/loss" in h] == [
        (10, pytest.approx(0.1)), (20, pytest.approx(0.05)), (30, pytest.approx(1 / 30)),
    ]  # fmt: skip
    assert [h["samples"]["_type"] for h in history if "samples" in h] == ["image-file"]
    assert len(list(tmp_path.glob("wandb/offline-run-*/files/media/images/*.png"))) == 1
    summary = _summary(records)
    assert summary["latency_ms"] == 12.5
    assert summary["quality"] == 0.17
    assert summary["on_front"] is True


def test_what_was_not_measured_is_absent(tmp_path: Path, read_runs: ReadRuns) -> None:
    open_mirror("offline", "demo", "uid", tmp_path).trial(TRIALS.iloc[1].to_dict())

    [records] = read_runs(tmp_path)
    summary = _summary(records)
    assert summary["params_m"] == 512.3
    assert summary["reason"] == "params_m 512.3 is over the limit of 450.0"
    assert not {"latency_ms", "quality"} & summary.keys()


def test_tables_of_the_study_hold_every_cell(tmp_path: Path, read_runs: ReadRuns) -> None:
    front = TRIALS[TRIALS["on_front"]]
    open_mirror("offline", "demo", "uid", tmp_path).study(TRIALS, front)

    [records] = read_runs(tmp_path)
    [logged] = [h for h in _history(records) if "front" in h]
    assert {logged["front"]["_type"], logged["trials"]["_type"]} == {"table-file"}
    [run_folder] = tmp_path.glob("wandb/offline-run-*")
    table = json.loads((run_folder / "files" / logged["front"]["path"]).read_text())
    assert table["columns"] == list(TRIALS.columns)
    assert [row[0] for row in table["data"]] == [0, 2]
    everything = json.loads((run_folder / "files" / logged["trials"]["path"]).read_text())
    latency = everything["columns"].index("latency_ms")
    assert [row[latency] for row in everything["data"]] == [12.5, None, 7.75]


def test_several_seeds_are_their_mean_and_each(tmp_path: Path, read_runs: ReadRuns) -> None:
    curve = [{"seed": s, "step": 10, "loss": loss, "seconds": 1.0} for s, loss in ((0, 0.25), (1, 0.75))]
    open_mirror("offline", "demo", "uid", tmp_path).trial({"trial": 4}, curve)

    [records] = read_runs(tmp_path)
    [point] = [h for h in _history(records) if "train/loss" in h]
    assert (point["train/loss"], point["train/loss_seed_0"], point["train/loss_seed_1"]) == (0.5, 0.25, 0.75)


def test_run_id_follows_from_study_and_trial(tmp_path: Path, read_runs: ReadRuns) -> None:
    folders = [tmp_path / name for name in ("first", "again", "other")]
    for folder, uid in zip(folders, ("uid", "uid", "another"), strict=True):
        open_mirror("offline", "demo", uid, folder).trial({"trial": 3})

    first, again, other = (_run(read_runs(folder)[0]).run_id for folder in folders)
    assert first == again != other


def test_disabled_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mirror in (
        open_mirror("disabled", "demo", "uid", tmp_path / "a"),
        _auto(monkeypatch, tmp_path, "disabled"),
    ):
        mirror.trial({"trial": 0}, CURVE)
        mirror.study(TRIALS, TRIALS)
        assert mirror.notice is None
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
    assert mirror.notice == "wandb is not installed: runs are not mirrored; pip install 'archlab[wandb]'"
    mirror.trial({"trial": 0}, CURVE)
    assert not list(tmp_path.iterdir())
    with pytest.raises(MissingExtra, match=r"pip install 'archlab\[wandb\]'"):
        open_mirror("offline", "demo", "uid", tmp_path)


def test_unreachable_server_leaves_the_runs_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_runs: ReadRuns
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setattr("archlab.tracking.wandb_mirror.INIT_SECONDS", 1)
    mirror = open_mirror("online", "demo", "uid", tmp_path)
    mirror.trial(TRIALS.iloc[0].to_dict(), CURVE)
    mirror.trial(TRIALS.iloc[2].to_dict(), CURVE)

    assert mirror.notice is not None
    assert "wandb sync" in mirror.notice
    assert len(mirror.notice.splitlines()) == 1
    kept = [records for records in read_runs(tmp_path) if len(_history(records)) == len(CURVE)]
    assert [_run(records).display_name for records in kept] == ["trial-0", "trial-2"]


def test_full_disk_stops_the_mirror_not_the_study(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way of the folder")
    mirror = open_mirror("offline", "demo", "uid", blocked)
    mirror.trial({"trial": 0}, CURVE)
    mirror.study(TRIALS, TRIALS)
    assert mirror.notice is not None
    assert "no longer mirrored" in mirror.notice


def test_terminal_stays_silent_and_runs_are_quick(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from archlab.tracking import open_mirror\n"
        "assert 'torch' not in sys.modules and 'wandb' not in sys.modules\n"
        "mirror = open_mirror('offline', 'demo', 'uid', Path(sys.argv[1]))\n"
        "mirror.trial({'trial': 0})\n"
        "start = time.perf_counter()\n"
        "for n in range(1, 5): mirror.trial({'trial': n, 'quality': 0.5}, [{'step': 10, 'loss': 0.5}])\n"
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


def _run(records: list[Any]) -> Any:
    return next(record.run for record in records if record.HasField("run"))


def _config(records: list[Any]) -> dict[str, Any]:
    found = {item.key: json.loads(item.value_json) for item in _run(records).config.update}
    return {key: value for key, value in found.items() if key != "_wandb"}


def _history(records: list[Any]) -> list[dict[str, Any]]:
    return [_nested(record.history.item) for record in records if record.HasField("history")]


def _summary(records: list[Any]) -> dict[str, Any]:
    return _nested([item for record in records for item in record.summary.update])


def _nested(items: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        *parents, key = list(item.nested_key) or [item.key]
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[key] = json.loads(item.value_json)
    return found
