"""``archlab cache`` as a person types it."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archlab.cache import Entry, Kind

LETTERS = Kind("letters", "files of letters")
TABLES = Kind("tables", "what the user made", evictable=False)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two letters, one of which was used lately, and a table."""
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "a cache"))
    monkeypatch.delenv("ARCHLAB_CACHE_GB", raising=False)
    for entry, hours in ((LETTERS.entry("one"), 0), (LETTERS.entry("two"), 2), (TABLES.entry("one"), 30)):
        write(entry, hours)
    return tmp_path / "a cache"


def write(entry: Entry, hours: float) -> None:
    with entry.written() as path:
        path.write_bytes(b"x" * 2_500_000)
    os.utime(entry.path, (time.time() - hours * 3600,) * 2)


def archlab(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archlab.cli.main", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)


def test_it_is_listed_by_kind(cache: Path) -> None:
    letters, tables = json.loads(archlab("cache", "--format", "json").stdout)
    assert letters.pop("last_used") > tables.pop("last_used")
    assert letters == {"kind": "letters", "about": "files of letters", "entries": 2, "mb": 5.0, "evictable": True}
    assert (tables["kind"], tables["entries"], tables["evictable"]) == ("tables", 1, False)
    lines = archlab("cache", "--format", "csv").stdout.splitlines()
    assert [row["kind"] for row in csv.DictReader(lines)] == ["letters", "tables"]
    shown = archlab("cache", ARCHLAB_CACHE_GB="2").stdout
    assert f"{cache}: 7.5 MB of 2 GB" in shown
    assert "what the user made" in shown


def test_clearing_says_what_it_freed_and_what_it_left() -> None:
    assert archlab("cache", "clear").stdout == (
        "freed 2.5 MB: 1 entry\n"
        "left 1 entry that may be in use; "
        "archlab cache clear --in-use deletes those, too, when nothing else is running\n"
    )
    assert archlab("cache", "clear", "--in-use").stdout == "freed 2.5 MB: 1 entry\n"
    assert archlab("cache", "clear", "letters", "tables").stdout == "freed 2.5 MB: 1 entry\n"
    assert [row["entries"] for row in json.loads(archlab("cache", "--format", "json").stdout)] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["cache", "clear", "leters"], {}, "has no 'leters'; did you mean 'letters'?"),
        (["cache"], {"ARCHLAB_CACHE_GB": "nan"}, "ARCHLAB_CACHE_GB: a number of gigabytes is needed but it is 'nan'"),
        (["cache", "clear", "letters"], {"ARCHLAB_CACHE": "/nowhere"}, "has no 'letters': it is empty"),
        (["cache"], {"ARCHLAB_CACHE": "/dev/null"}, "Not a directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], environment: dict[str, str], message: str) -> None:
    shown = archlab(*arguments, **environment)
    assert shown.returncode == 2
    assert message in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_an_empty_cache_is_nothing_to_list(tmp_path: Path) -> None:
    assert archlab("cache", ARCHLAB_CACHE=str(tmp_path / "none")).stdout == "nothing to list\n"
    assert archlab("cache", "clear", ARCHLAB_CACHE=str(tmp_path / "none")).stdout == "freed 0.0 MB: 0 entries\n"


def test_listing_it_loads_no_torch() -> None:
    code = (
        "import sys; from archlab.cli.main import cli\n"
        "cli.main(['cache'], standalone_mode=False)\n"
        "print(sorted({'torch', 'diffusers', 'pandas', 'optuna'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "letters" in shown
    assert shown.splitlines()[-1] == "[]"
