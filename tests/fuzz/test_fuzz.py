"""A short run of the fuzz: ``python -m tests.fuzz`` is the long one."""

from pathlib import Path

import pytest

from tests.fuzz.__main__ import outcomes


def test_edited_studies_are_read_or_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = [(said, outcome) for said, outcome in outcomes(tmp_path, edits=25, seed=7)]
    assert len(found) == 125
    assert [(said, outcome) for said, outcome in found if not outcome.is_clean] == []
    assert {outcome.code for _, outcome in found} >= {0, 2}
