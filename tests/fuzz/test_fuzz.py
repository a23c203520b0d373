"""A short run of the fuzz: ``python -m tests.fuzz`` is the long one."""

from pathlib import Path

import pytest

from tests.fuzz.__main__ import outcomes
from tests.fuzz.commands import run
from tests.fuzz.subjects import SUBJECTS


@pytest.mark.parametrize(("name", "edits"), [(name, 40 if name == "data" else 6) for name in SUBJECTS])
def test_what_was_edited_is_read_or_refused_in_one_line(
    name: str, edits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    subject = SUBJECTS[name](tmp_path)
    whole = [run(command) for command in subject.commands]
    assert all(outcome.is_clean and outcome.code in (0, 1) for outcome in whole), whole
    found = list(outcomes({name: subject}, range(edits), seed=7))
    assert [(said, outcome) for said, outcome in found if not outcome.is_clean] == []
    assert 2 in {outcome.code for _, outcome in found}
