"""The commands as a person types them: one real process each."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archlab.architecture import preset, save
from tests.stderr import lines_of_others
from tests.study.spaces import MINI, write_space

REPOSITORY = Path(__file__).parents[2]


def archlab(*arguments: object, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archlab", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_help_and_import_load_neither_torch_nor_diffusers() -> None:
    code = (
        "import sys, archlab, archlab.cli.main\n"
        "archlab.cli.main.cli.main(['--help'], standalone_mode=False)\n"
        "print(sorted({'torch', 'diffusers', 'pandas', 'optuna'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Usage:" in shown
    assert shown.splitlines()[-1] == "[]"


def test_profile_of_sd15_has_the_published_counts() -> None:
    shown = archlab("profile", "sd15", "--format", "json")
    facts = json.loads(shown.stdout)
    assert facts["params"] == 859_520_964
    assert facts["macs"] / 1e9 == pytest.approx(401.6, abs=0.05)
    assert facts["macs_without_attention"] / 1e9 == pytest.approx(338.6, abs=0.05)
    assert sum(part["params"] for part in facts["by_block"]) == facts["params"]


def test_listings_come_as_table_json_and_csv() -> None:
    assert "859,520,964" in archlab("presets").stdout
    as_json = json.loads(archlab("presets", "--format", "json").stdout)
    as_csv = archlab("presets", "--format", "csv").stdout.splitlines()
    assert len(as_csv) == len(as_json) + 1
    assert as_csv[0] == ",".join(as_json[0])


def test_devices_are_listed_with_what_is_missing_and_what_mends_it() -> None:
    statuses = json.loads(archlab("devices", "--format", "json").stdout)
    lines = archlab("devices").stdout.splitlines()
    assert len(lines) == sum(1 if status["available"] else 3 for status in statuses)
    for status in statuses:
        assert any(line.startswith(f"{'✓' if status['available'] else '✗'} {status['name']} ") for line in lines)
        assert status["available"] or any(line.endswith(f"mend:    {status['mend']}") for line in lines)


def test_a_name_in_brackets_is_shown_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "a["
    folder.mkdir()
    save(preset("tiny"), folder / "b] [red].yaml")
    assert "a[/b] [red].yaml: batch 1" in archlab("profile", "a[/b] [red].yaml", cwd=tmp_path).stdout


def test_a_terminal_without_the_letters_shows_question_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    shown = archlab("diff", "tiny", "sd15", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("tiny ? sd15\n")


def test_diff_names_the_place_and_both_values(tmp_path: Path) -> None:
    save(preset("tiny").scaled(sample_size=16), tmp_path / "small.yaml")
    shown = archlab("diff", "tiny", tmp_path / "small.yaml", "--format", "json")
    assert json.loads(shown.stdout) == [{"where": "sample_size", "before": 32, "after": 16}]


def test_check_counts_the_space(tmp_path: Path) -> None:
    facts = json.loads(archlab("check", write_space(tmp_path), "--no-timing", "--format", "json").stdout)
    assert facts["architectures"] == 4 * 3 * 2 * 2
    assert facts["params_m_min"] < facts["params_m_median"] < facts["params_m_max"]


BAD = {
    "unknown knob": ("transformers:", "transformer:", "bad.yaml:4:3: knobs.transformer: unknown knob; did you mean"),
    "unknown value": ("[standard, separable]", "[standard, seperable]", "did you mean 'separable'?"),
    "no such baseline": ("baseline: tiny", "baseline: tny", "bad.yaml:2:11: baseline: 'tny' is neither a preset"),
    "condition on no knob": ("[1/2, 1/1]", "{choices: [1/2, 1/1], when: {cnv: separable}}", "did you mean 'conv'?"),
    "hopeless limit": ("measure: []", "measure: []\nconstraints: {macs_g: {max: 0.001}}", "nothing can meet 0.001"),
    "empty": (MINI, "", "bad.yaml: is empty"),
    "garbage": (MINI, "{[}", "bad.yaml:1:3: not YAML"),
    "a binary file": (MINI, "\x00\x01", "not YAML"),
}


@pytest.mark.parametrize("command", ["check", "study"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case: str, command: str, tmp_path: Path) -> None:
    old, new, message = BAD[case]
    assert old in MINI
    space = write_space(tmp_path, MINI.replace(old, new), "bad")
    shown = archlab(command, space, cwd=tmp_path)
    assert shown.returncode == 2
    assert message in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "nowhere.yaml"),
        ("study", "nowhere.yaml"),
        ("study", "nowhere.yaml", "--workers", "-1"),
        ("report", "nothing"),
        ("export", "nothing"),
        ("profile", "sd51"),
        ("profile", "nothing:3"),
        ("profile", "sd15", "--width", "-1"),
        ("profile", "sd15", "--sample-size", "13"),
        ("latency", "tiny", "--device", "tflit"),
        ("latency", "tiny", "--threads", "0"),
        ("latency", "tiny", "--device", "torch", "--precision", "int8"),
        ("latency", "tiny", "--device", "torch", "--profile-operators"),
        ("diff", "sd15", "."),
        ("nonsense",),
    ],
)
def test_bad_arguments_are_said_and_exit_with_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    shown = archlab(*arguments, cwd=tmp_path)
    assert shown.returncode == 2, shown.stderr
    assert "Traceback" not in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "studies").write_text("a file where the folder should be")
    shown = archlab("study", write_space(tmp_path), cwd=tmp_path)
    assert shown.returncode == 2
    assert "studies" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_a_study_whose_every_trial_failed_is_a_failed_run(tmp_path: Path) -> None:
    text = MINI.replace("rungs: [3]", "rungs: [9]\n  learning_rate: 1e30").replace("trials: 6", "trials: 2")
    shown = archlab("study", write_space(tmp_path, text), "--wandb", "disabled", cwd=tmp_path)
    assert shown.returncode == 1
    assert "every trial failed; the last one: training diverged" in shown.stderr
    assert (tmp_path / "reports" / "mini" / "index.html").is_file()


def test_the_next_command_can_be_pasted(tmp_path: Path) -> None:
    text = re.sub("knobs:.*(?=measure)", "knobs: {conv: [standard]}\n", MINI, flags=re.DOTALL)
    shown = archlab(
        *("study", write_space(tmp_path, text), "--wandb", "disabled", "--name", "ü d", "--studies", "my studies"),
        cwd=tmp_path,
    )
    again = "archlab study 'ü d' --more 20 --studies 'my studies'"
    assert f"next    the front is the baseline alone: {again}" in shown.stdout


def test_options_that_do_not_go_together_are_said(tmp_path: Path) -> None:
    space = write_space(tmp_path)
    for options, message in (
        (("--address", "here:1"), "--address: is of a Ray cluster; add --executor ray"),
        (("--executor", "ray", "--workers", "0"), "--workers: 0 is this process"),
    ):
        shown = archlab("study", space, *options, cwd=tmp_path)
        assert shown.returncode == 2
        assert message in shown.stderr
        assert not (tmp_path / "studies").exists()


def test_a_study_goes_on_by_its_name_with_more_trials_in_two_workers(tmp_path: Path) -> None:
    space = write_space(tmp_path, MINI.replace("trials: 6", "trials: 2"))
    first = archlab("study", space, "--wandb", "disabled", "--workers", "0", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    more = archlab("study", "mini", "--wandb", "disabled", "--more", "2", "--workers", "2", cwd=tmp_path)
    assert more.returncode == 0, more.stderr
    assert "going on after 2 of 4 trials and the baseline" in more.stderr
    assert lines_of_others(first.stderr + more.stderr) == []
    assert "5 trained" in more.stdout
    again = archlab("study", "mini", "--wandb", "disabled", cwd=tmp_path)
    assert "is finished: nothing to do" in again.stdout
