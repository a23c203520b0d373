import os
from pathlib import Path

import pytest

from archlab.files import write_text


def test_files_have_the_modes_of_others_and_the_process_keeps_its_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").touch()
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("for a moment another thread's files are anybody's"))
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "other").stat().st_mode
