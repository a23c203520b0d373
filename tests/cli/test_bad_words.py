"""Words that name nothing: one line with the nearest that does, before anything heavy is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import archlab
from tests.fuzz.commands import run
from tests.study.made_up import write_study


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "studies", "quickstart", complete=3)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "quikstart"],
        ["export", "quikstart"],
        ["track", "quikstart"],
        ["dashboard", "quikstart"],
        ["compare", "quickstart", "quikstart"],
        ["study", "quikstart"],
        ["profile", "quikstart:0"],
        ["latency", "quikstart:knee"],
        ["diff", "tiny", "quikstart:0"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_misspelt_study_gets_the_nearest_name(arguments: list[str], studies: Path) -> None:
    outcome = run(arguments)
    assert outcome.code == 2
    assert outcome.is_clean
    assert outcome.said.endswith("did you mean 'quickstart'?\n")


def test_nothing_heavy_is_imported_for_it(studies: Path) -> None:
    code = (
        "import sys; from archlab.cli.main import run; sys.argv = ['archlab', 'export', 'quikstart']; run();"
        "print(sorted({'torch', 'diffusers', 'pandas', 'optuna', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("kne", "no 'kne'; did you mean 'knee'?; or a trial's number"),
        (
            "good_and_fast:200%",
            "'good_and_fast:200%': a share of the front's quality range is from 0% to 100%, like 25%",
        ),
        ("99", "there is no trial 99; the last is 2"),
    ],
)
def test_a_pick_that_is_none_is_refused_before_the_exporters_are_imported(word: str, said: str, studies: Path) -> None:
    outcome = run(["export", "quickstart", "--pick", word])
    assert (outcome.code, outcome.said) == (2, f"archlab: --pick: {said}\n")


def test_what_is_typed_is_quoted_on_one_line_and_not_whole(studies: Path) -> None:
    for arguments in (["profile", "x" * 5_000], ["report", "a\nb\x1b[31m"], ["study", "x.yaml", "--more", "9" * 5_000]):
        outcome = run(arguments)
        assert outcome.is_clean
        assert len(outcome.said.splitlines()) == 1
        assert "\x1b" not in outcome.said
        assert len(outcome.said) < 600


def test_devices_are_listed_where_the_cache_cannot_be(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHLAB_BENCHMARK_MODEL", raising=False)
    (studies / "file").touch()
    monkeypatch.setenv("ARCHLAB_CACHE", str(studies / "file" / "cache"))
    shown = archlab("devices", cwd=studies)
    assert shown.returncode == 0, shown.stderr
    assert "tflite" in shown.stdout
