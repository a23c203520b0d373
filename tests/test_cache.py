"""One cache: entries that are whole or absent, locks between processes, one limit over all kinds."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archlab.cache import Entry, Kind, check_usable, clear, content_hash, limit_gb, make_room, root, usage
from archlab.errors import BadInput

LETTERS = Kind("letters", "files of letters")
FOLDERS = Kind("folders", "folders of letters")
TABLES = Kind("tables", "what the user made", evictable=False)
SIZE = 1000
HOUR, DAY = 3600.0, 86400.0

IN_ANOTHER_PROCESS = """
import sys, time
from pathlib import Path
from archlab.cache import Kind
entry = Kind("letters", "files of letters").entry("one")
with entry.locked():
    if entry.use():
        print("there", flush=True)
    else:
        with entry.written() as path:
            path.write_text("half")
            print("writing", flush=True)
            time.sleep(float(sys.argv[1]))
            path.write_text("whole")
"""


@pytest.fixture(autouse=True, params=["cache", "ein Ordner für Zwischenstände"])
def cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an empty cache."""
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / request.param))
    monkeypatch.delenv("ARCHLAB_CACHE_GB", raising=False)
    return Path(tmp_path / request.param)


@pytest.fixture
def others() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to end with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def another(seconds: float, others: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(seconds)]
    others.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    return others[-1]


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def made(kind: Kind, name: str, used_hours_ago: float = 0.0) -> Entry:
    """An entry of `SIZE` bytes."""
    entry = kind.entry(name)
    with entry.written() as path:
        if kind is FOLDERS:
            path.mkdir()
        (path / "letters" if kind is FOLDERS else path).write_bytes(b"x" * SIZE)
    age(entry.path, used_hours_ago)
    return entry


def age(path: Path, hours: float) -> None:
    os.utime(path, (time.time() - hours * HOUR,) * 2)


def limit_to(entries: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE_GB", str(entries * SIZE / 1e9))


def there(*kinds: Kind) -> list[str]:
    return [entry.path.name for kind in kinds for entry in kind.entries()]


def temporaries(kind: Kind) -> list[Path]:
    return [path for path in kind.path.glob(".*") if path.name not in (".kind", ".locks")]


def test_an_entry_is_there_once_it_is_whole() -> None:
    entry = LETTERS.entry("one")
    assert entry.use() is None
    with entry.written() as path:
        path.write_text("a")
        assert entry.use() is None
        assert there(LETTERS) == []
    assert entry.use() == entry.path
    assert entry.path.read_text() == "a"
    assert temporaries(LETTERS) == []


@pytest.mark.parametrize("kind", [LETTERS, FOLDERS])
def test_an_entry_is_replaced_whole(kind: Kind) -> None:
    for text in "ab":
        with FOLDERS.entry("one").written() as path:
            path.mkdir()
            (path / text).touch()
    assert [file.name for file in FOLDERS.entry("one").path.iterdir()] == ["b"]
    with LETTERS.entry("one").written() as path:
        path.write_text("a")
    with LETTERS.entry("one").written() as path:
        path.write_text("b")
    assert LETTERS.entry("one").path.read_text() == "b"
    assert temporaries(FOLDERS) == temporaries(LETTERS) == []


def test_what_fails_leaves_the_entry_as_it_was() -> None:
    entry = made(LETTERS, "one")
    with pytest.raises(KeyboardInterrupt), entry.written() as path:  # noqa: PT012
        path.write_text("half")
        raise KeyboardInterrupt
    assert entry.path.read_bytes() == b"x" * SIZE
    assert temporaries(LETTERS) == []


def test_files_have_the_modes_of_others(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert made(LETTERS, "one").path.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_of_two_processes_one_makes_it_and_the_other_waits(others: list[subprocess.Popen[str]]) -> None:
    first = another(1.0, others)
    assert said(first) == "writing"
    second = another(1.0, others)
    assert said(second) == "there"
    assert first.wait(10) == 0
    assert LETTERS.entry("one").path.read_text() == "whole"


def test_of_two_threads_one_makes_it_and_the_other_waits() -> None:
    def make(_: int) -> bool:
        entry = LETTERS.entry("one")
        with entry.locked():
            if entry.use():
                return False
            with entry.written() as path:
                time.sleep(0.1)
                path.touch()
            return True

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(make, range(2))) == [False, True]


def test_a_kill_while_writing_costs_the_entry_alone(others: list[subprocess.Popen[str]]) -> None:
    process = another(60.0, others)
    assert said(process) == "writing"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert there(LETTERS) == []
    (left,) = temporaries(LETTERS)
    make_room()
    assert temporaries(LETTERS) == [left]
    for path in (*left.iterdir(), left):
        age(path, 25)
    again = another(0.0, others)
    assert said(again) == "writing"
    assert again.wait() == 0
    assert temporaries(LETTERS) == []
    assert there(LETTERS) == ["one"]


def test_a_full_disk_costs_the_next_one_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    LETTERS.entry("one").keep(fill)
    assert there(LETTERS) == []
    assert temporaries(LETTERS) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_cache_that_may_only_be_read_is_read(cache: Path) -> None:
    entry = made(LETTERS, "one")
    LETTERS.path.chmod(0o500)
    try:
        assert entry.use() == entry.path
        LETTERS.entry("two").keep(lambda path: path.touch())
        assert there(LETTERS) == ["one"]
    finally:
        LETTERS.path.chmod(0o700)


def test_a_cache_that_cannot_be_made_is_one_line(cache: Path) -> None:
    cache.write_text("a file")
    for use in (check_usable, LETTERS.folder, lambda: LETTERS.entry("one").locked().__enter__()):
        with pytest.raises(BadInput, match=r"^.*: cannot be written \(.*\)$"):
            use()
    LETTERS.entry("one").keep(lambda path: path.touch())
    assert LETTERS.entry("one").use() is None


def test_least_recently_used_goes_first_over_all_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for hours, kind in enumerate([LETTERS, FOLDERS] * 3, start=2):
        made(kind, f"{hours} hours", hours)
    limit_to(3.5, monkeypatch)
    make_room()
    assert sorted(there(LETTERS, FOLDERS)) == ["2 hours", "3 hours", "4 hours"]


def test_reading_marks_as_used(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [made(LETTERS, str(hours), hours) for hours in (2, 4, 3)]
    limit_to(2.5, monkeypatch)
    entries[1].use()
    make_room()
    assert there(LETTERS) == ["2", "4"]


def test_writing_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_to(1.5, monkeypatch)
    made(FOLDERS, "old", 2)
    made(LETTERS, "new")
    assert there(LETTERS, FOLDERS) == ["new"]


def test_what_was_used_within_the_hour_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    made(LETTERS, "in use", 0.9)
    made(LETTERS, "not in use", 1.1)
    limit_to(0, monkeypatch)
    make_room()
    assert there(LETTERS) == ["in use"]


def test_what_this_process_holds_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    made(LETTERS, "mapped").hold()
    age(LETTERS.entry("mapped").path, 2)
    made(LETTERS, "idle", 2)
    limit_to(0, monkeypatch)
    make_room()
    assert there(LETTERS) == ["mapped"]


def test_what_is_locked_stays_and_so_do_locks(
    monkeypatch: pytest.MonkeyPatch, others: list[subprocess.Popen[str]]
) -> None:
    process = another(60.0, others)
    assert said(process) == "writing"
    growing = FOLDERS.entry("growing")
    made(FOLDERS, "growing")
    made(LETTERS, "idle", 3)
    limit_to(0, monkeypatch)
    with growing.locked():
        age(growing.path, 5)
        make_room()
        assert clear(in_use=True).left == 1
        assert there(LETTERS, FOLDERS) == ["growing"]
    make_room()
    assert there(LETTERS, FOLDERS) == []
    assert (FOLDERS.path / ".locks" / "growing").exists()
    assert (LETTERS.path / ".locks" / "one").exists()
    assert len(temporaries(LETTERS)) == 1
    assert process.poll() is None


def test_what_only_the_user_can_make_again_is_not_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    made(TABLES, "table", 100)
    made(LETTERS, "one", 2)
    limit_to(0, monkeypatch)
    make_room()
    assert there(TABLES, LETTERS) == ["table"]
    assert clear().entries == 0
    assert there(TABLES) == ["table"]
    assert clear(["tables"]) == (1, SIZE, 0)


def test_a_folder_that_is_not_the_caches_is_left_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(LETTERS, "one", 2)
    (cache / "theirs").mkdir()
    (cache / "theirs" / "thesis").write_text("a thesis")
    age(cache / "theirs" / "thesis", 100)
    limit_to(0, monkeypatch)
    make_room()
    clear(in_use=True)
    assert [used.kind for used in usage()] == [LETTERS]
    assert (cache / "theirs" / "thesis").exists()


@pytest.mark.parametrize("text", ["20G", "nan", "-1", "-inf", "abc", "1,5"])
def test_a_limit_that_makes_no_sense_is_one_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE_GB", text)
    for use in (limit_gb, check_usable, lambda: LETTERS.entry("one")):
        with pytest.raises(BadInput) as refused:
            use()
        assert str(refused.value) == (
            f"ARCHLAB_CACHE_GB: a number of gigabytes is needed but it is {text!r}; give 0 or more, or inf for no limit"
        )


@pytest.mark.parametrize(("text", "limit"), [("", 20.0), ("0.5", 0.5), ("0", 0.0), ("inf", float("inf"))])
def test_limits(text: str, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE_GB", text)
    assert limit_gb() == limit
    made(LETTERS, "one", 2)
    make_room()
    assert there(LETTERS) == (["one"] if limit else [])


def test_usage_is_by_kind(cache: Path) -> None:
    assert usage() == []
    assert not cache.exists()
    made(LETTERS, "one", 3)
    made(LETTERS, "two", 2)
    made(FOLDERS, "one", 4)
    folders, letters = usage()
    assert (folders.kind, folders.entries, letters.kind, letters.entries, letters.size) == (
        FOLDERS,
        1,
        LETTERS,
        2,
        2 * SIZE,
    )
    assert folders.size >= SIZE
    assert time.time() - (letters.used_at or 0) == pytest.approx(2 * HOUR, abs=60)


def test_clearing_keeps_what_is_in_use() -> None:
    made(LETTERS, "idle", 2)
    made(LETTERS, "in use")
    made(FOLDERS, "idle", 2)
    assert clear(["letters"]) == (1, SIZE, 1)
    assert there(LETTERS, FOLDERS) == ["in use", "idle"]
    assert clear(in_use=True).entries == 2
    with pytest.raises(BadInput, match=r"has no 'leters'; did you mean 'letters'\?"):
        clear(["leters"])


def test_hashes_are_of_content() -> None:
    assert content_hash("a", {"b": 1, "c": [2.0, None]}) == content_hash("a", {"c": [2.0, None], "b": 1})
    parts = [("ab",), ("a", "b"), (b"ab",), (["a", "b"],), (1,), ("1",), (True,), (None,), ("ä",), ("\udcff",), ()]
    hashes = {content_hash(*part) for part in parts}
    assert len(hashes) == len(parts)
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in hashes)
    with pytest.raises(TypeError):
        content_hash(object())


def test_by_default_it_is_in_the_users_cache_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHLAB_CACHE")
    assert root().name == "archlab"


def test_the_docs_name_every_kind() -> None:
    repository = Path(__file__).parents[1]
    sources = (path.read_text(encoding="utf-8") for path in (repository / "archlab").rglob("*.py"))
    declared = {name for source in sources for name in re.findall(r'= Kind\(\s*"(\w+)"', source)}
    rows = [
        line for line in (repository / "docs" / "cache.md").read_text(encoding="utf-8").splitlines() if "| `" in line
    ]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])} == declared
