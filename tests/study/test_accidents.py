"""What people do to a study's folder: journals edited or pasted twice, folders copied and renamed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from archlab.errors import BadInput
from archlab.study import load_study, run_study
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.executors import Inline
from tests.study.conftest import Judge
from tests.study.read_back import facts, journal
from tests.study.spaces import MINI, write_space


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of studies with ``mini``, which has its six trials."""
    folder = tmp_path_factory.mktemp("finished")
    Judge().run(load_definition(write_space(folder)), root=folder / "studies")
    return folder / "studies"


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "studies"))


def inserted(line: str, at: int = 5) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines[:at], line, *lines[at:]]


def edited(operation: int, **values: object) -> Callable[[list[str]], list[str]]:
    """The last line of that operation has other values."""

    def edit(lines: list[str]) -> list[str]:
        at = max(index for index, line in enumerate(lines) if json.loads(line)["op_code"] == operation)
        return [*lines[:at], json.dumps({**json.loads(lines[at]), **values}), *lines[at + 1 :]]

    return edit


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (inserted("{}"), r":6: "),
        (inserted("[]"), r":6: "),
        (inserted("3"), r":6: "),
        (inserted('"op_code"'), r":6: "),
        (inserted('{"op_code": 4}'), r":6: "),
        (inserted('{"op_code": 99, "worker_id": "x"}'), r":6: "),
        (inserted('{"op_code": "4", "worker_id": "x"}'), r":6: "),
        (inserted('{"op_code": 5, "worker_id": "x", "trial_id": 0}'), r":6: "),
        (inserted('{"op_code": 6, "worker_id": "x", "trial_id": [], "state": 1}'), r":6: "),
        (inserted("[" * 100_000), r":6: "),
        (inserted('{"op_code": 1' + "0" * 400 + ', "worker_id": "x"}'), r":6: "),
        (inserted(""), r":6: "),
        (edited(4, datetime_start="yesterday"), r":\d+: "),
        (edited(5, distribution="{}"), r":\d+: "),
        (edited(6, state=7), r":\d+: "),
        (edited(6, values=["a", "b"]), r"[:\d]*: "),
        (edited(6, values=[1.0]), r"[:\d]*: "),
        (edited(0, directions=[7]), r":\d+: "),
        (edited(5, param_value_internal=1e30), r"[:\d]*: "),
    ],
)
def test_a_journal_line_that_is_no_record_is_damaged(
    edit: Callable[[list[str]], list[str]], where: str, root: Path, judge: Judge, definition: StudyDefinition
) -> None:
    path = root / "mini" / "journal.log"
    path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")
    before = path.read_bytes()
    mend = "restore the file, or delete it to have it made again from the trials"
    with pytest.raises(BadInput, match=rf"journal\.log{where}damaged: [^\n]*; {mend}$"):
        judge.run(definition, root=root)
    assert path.read_bytes() == before
    assert judge.asked == []


@pytest.mark.parametrize("half", [False, True])
def test_a_journal_pasted_twice_trains_nothing_again(
    half: bool, root: Path, judge: Judge, definition: StudyDefinition
) -> None:
    path = root / "mini" / "journal.log"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, *lines[len(lines) // 2 if half else 0 :]]))
    with pytest.raises(BadInput, match=r"journal\.log:\d+: damaged: a trial of the lines before begins here once more"):
        judge.run(definition, root=root)
    path.unlink()
    assert len(judge.run(definition, root=root).trials) == 7
    assert judge.asked == []


@pytest.mark.parametrize("move", [shutil.copytree, shutil.move], ids=["copied", "renamed"])
@pytest.mark.parametrize("reads_yaml", [False, True])
def test_a_study_is_the_one_whose_folder_is_named(
    move: Callable[[Path, Path], object], reads_yaml: bool, root: Path, judge: Judge, tmp_path: Path
) -> None:
    before = contents(root / "mini")
    table = facts(root)
    uid = load_study("mini", root).settings.uid
    move(root / "mini", root / "b")
    assert load_study("b", root).definition.name == "b"
    again = load_definition(write_space(tmp_path, MINI, "b")) if reads_yaml else load_study("b", root).definition
    study = run_study(again, root=root, executor=Inline(judge), more=1)
    assert study.name == study.settings.name == "b"
    assert len(judge.asked) == 1
    assert judge.asked[0] not in load_study("b", root).trials["architecture"][:7]
    assert [tuple(row) for row in study.trials[["trial", "status", "architecture"]].to_numpy()][:7] == [
        row[:3] for row in table
    ]
    assert "name: b\n" in (root / "b" / "study.yaml").read_text()
    assert study.settings.uid == load_study("b", root).settings.uid != uid
    assert len(journal(root / "b").trials) == len(study.trials)
    assert (root / "mini").exists() == (move is shutil.copytree)
    if (root / "mini").exists():
        assert contents(root / "mini") == before
