"""The dashboard: what it serves, that it changes nothing, and how a real browser shows it."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from archlab.errors import BadInput
from archlab.report.dashboard import address, open_dashboard
from archlab.study import Study
from tests.report.browser import screenshot
from tests.study.made_up import write_study

Get = Callable[..., bytes]


@contextmanager
def serving(study: Study) -> Iterator[tuple[str, Get]]:
    """The dashboard's address, and what fetches one of its paths."""
    with open_dashboard(study, port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}"

        def get(path: str, method: str = "GET", **headers: str) -> bytes:
            request = urllib.request.Request(f"{base}{path}", headers=headers, method=method)
            with urllib.request.urlopen(request, timeout=30) as answer:
                content: bytes = answer.read()
            return content

        try:
            yield address(server), get
        finally:
            server.shutdown()
            thread.join()


def trials(get: Get) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(get("/api/studies/0"))["trials"]
    return found


def test_every_trial_is_there_as_it_ended_with_its_pictures(tmp_path: Path) -> None:
    study = write_study(tmp_path, statuses="gated stopped failed")
    with serving(study) as (_, get):
        detail = json.loads(get("/api/studies/0"))
        assert detail["objective_names"] == ["quality (val_loss)", "macs_g"]
        assert {trial["number"] for trial in detail["best_trials"]} == set(study.front["trial"])
        assert [trial["state"] for trial in detail["trials"][-4:]] == ["Complete", "Pruned", "Pruned", "Fail"]
        assert "| best |" in detail["note"]["body"]
        trial, record = detail["trials"][3], study.records[3]
        assert trial["values"] == [record.row()["quality"], record.evaluation.macs_g]
        assert {each["name"]: each["param_external_value"] for each in trial["params"]} == {
            name: str(value) for name, value in record.knobs.items()
        }
        assert (f"conv: standard → {record.knobs['conv']}" in trial["note"]["body"]) == (
            record.knobs["conv"] != "standard"
        )
        assert [step["step"] for step in trial["intermediate_values"]] == [2, 3]
        pictures = {each["filename"]: get(f"/artifacts/0/3/{each['artifact_id']}") for each in trial["artifacts"]}
        assert pictures["samples.png"] == (study.files.trial(3) / "samples.png").read_bytes()
        assert b"trial 3" in pictures["architecture.svg"]


def test_trials_that_finish_later_are_shown_by_their_own_numbers(tmp_path: Path) -> None:
    study = write_study(tmp_path, complete=4)
    late = study.files.trial(2) / "evaluation.json"
    content = late.read_text()
    late.unlink()
    with serving(Study(study.files)) as (_, get):
        for damaged in ("", content[:99]):
            late.write_text(damaged)
            assert [trial["state"] for trial in trials(get)] == ["Complete", "Complete", "Running", "Complete"]
        late.write_text(content)
        get("/api/studies")  # takes up what is new; the detail's own memory lasts two seconds
        assert json.loads(get("/api/studies/0"))["note"]["body"].startswith("4 asked: 4 trained")


def test_nothing_is_changed_and_nobody_else_is_answered(tmp_path: Path) -> None:
    study = write_study(tmp_path, complete=2)
    before = {path: path.read_bytes() for path in study.folder.rglob("*") if path.is_file()}
    with serving(study) as (_, get):
        for path, method, host in (
            ("/api/studies/0", "DELETE", {}),
            ("/api/studies", "POST", {}),
            ("/api/studies/0", "GET", {"Host": "elsewhere.example:80"}),
        ):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                get(path, method, **host)
        assert len(trials(get)) == 2
    assert {path: path.read_bytes() for path in study.folder.rglob("*") if path.is_file()} == before


def test_a_browser_that_leaves_the_port_of_http_out_is_answered(tmp_path: Path) -> None:
    """As browsers do of `--port 80`."""
    with serving(write_study(tmp_path, complete=2)) as (_, get):
        for host in ("127.0.0.1", "localhost", "localhost:80"):
            assert json.loads(get("/api/studies", Host=host))
        for host in ("elsewhere.example", "", "[::1", "127.0.0.1.elsewhere.example"):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                get("/api/studies", Host=host)


@pytest.mark.parametrize("after", ["abc", "-1", "1e3", "", "%F0%9F", "9" * 5000])
def test_a_query_that_is_no_number_is_refused(after: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(write_study(tmp_path, complete=2)) as (_, get):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            get(f"/api/studies/0?after={after}")
        assert len(json.loads(get("/api/studies/0?after=1"))["trials"]) == 1
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    study = write_study(tmp_path, complete=1)
    with (
        open_dashboard(study, port=0) as server,
        pytest.raises(BadInput, match=r"in use; choose another with --port"),
        open_dashboard(study, port=server.server_port),
    ):
        pass


def test_a_browser_shows_a_trial_with_its_knobs_and_pictures(tmp_path: Path, browser: str) -> None:
    study = write_study(tmp_path, statuses="gated stopped failed")
    with serving(study) as (url, _):
        page = screenshot(browser, f"{url}/trials?numbers=3", tmp_path / "trial.png")
    assert "Trial 3" in page
    assert "architecture.svg" in page
    assert "samples.png" in page
    assert all(str(value) in page for value in study.records[3].knobs.values())
