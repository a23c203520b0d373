"""The README is true: its commands, its YAML and its Python run, on the quickstart made short."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image

from archlab.study import load_definition, load_study
from tests.stderr import lines_of_others

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

SHORTER = {"train": ["--steps", "3"], "score": ["--samples", "8"]}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def archlab(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *words = shlex.split(line)
    command = [sys.executable, *{"archlab": ["-m", "archlab"], "python": []}[program], *words]
    command += SHORTER.get(words[0], [])
    environment = os.environ | {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    shown = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    if program == "archlab":
        assert lines_of_others(shown.stderr) == []  # no warning of a library, which nobody who reads it can act on
    return shown


def shorten(path: Path, **proxy: Any) -> None:
    space = yaml.safe_load(path.read_text(encoding="utf-8"))
    space["search"]["trials"] = 1
    space["proxy"] |= proxy
    space.pop("constraints", None)
    path.write_text(yaml.safe_dump(space, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the quickstart's own command ran; its spaces are as shipped but for trials and steps."""
    folder = tmp_path_factory.mktemp("a clone")
    shutil.copytree(REPOSITORY / "search_spaces", folder / "search_spaces")
    shorten(folder / "search_spaces" / "quickstart.yaml", rungs=[1, 2, 3], samples=20, sampling_steps=2)
    small = {"width": 0.125, "sample_size": 16}
    shorten(folder / "search_spaces" / "shapes.yaml", rungs=[1], samples=16, sampling_steps=1, scale=small)
    shown = archlab("archlab study search_spaces/quickstart.yaml", folder)
    assert shown.returncode == 0, shown.stderr
    assert "next    archlab export quickstart --pick " in shown.stdout  # the knee, unless that is the baseline
    return folder


@pytest.mark.slow
def test_the_quickstart_leaves_the_files_that_the_readme_names(quickstart: Path) -> None:
    report, trials = quickstart / "reports" / "quickstart", quickstart / "studies" / "quickstart" / "trials"
    for name in ("index.html", "pareto.png", "pareto.svg", "trials.csv"):
        assert (report / name).stat().st_size > 0
    for name in ("architecture.yaml", "evaluation.json", "curve.csv", "samples.png", "checkpoint.safetensors"):
        assert (trials / "0" / name).stat().st_size > 0
    table = pd.read_csv(report / "trials.csv")
    study = load_study("quickstart", quickstart / "studies")
    assert list(table["latency_ms"]) == pytest.approx(list(study.trials["latency_ms"]))
    assert (study.trials["latency_ms"] > 0).all()
    assert list((quickstart / "studies" / "quickstart" / "wandb").glob("offline-run-*"))


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for block in blocks("bash") for line in block.splitlines()])
def test_command_of_the_readme_runs(line: str, quickstart: Path) -> None:
    shown = archlab(line, quickstart)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip()
    if "export" in line:
        assert (quickstart / "exports" / "quickstart-knee" / "unet.tflite").is_file()


@pytest.mark.slow
def test_a_finished_study_says_so(quickstart: Path) -> None:
    shown = archlab("archlab study search_spaces/quickstart.yaml", quickstart)
    assert "is finished: nothing to do" in shown.stdout


def test_the_readmes_yaml_is_a_valid_space(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    assert load_definition(tmp_path / "own.yaml").space.size > 100


@pytest.mark.slow
def test_the_readmes_python_draws(quickstart: Path) -> None:
    code, _ = blocks("python")
    run = subprocess.run([sys.executable, "-c", code], cwd=quickstart, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert Image.open(quickstart / "seven.png").size == (8, 8)


def test_the_readmes_python_runs(tmp_path: Path) -> None:
    _, code = blocks("python")
    shutil.copytree(REPOSITORY / "search_spaces", tmp_path / "search_spaces")
    shown = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert shown.returncode == 0, shown.stderr
    params, inherited = shown.stdout.splitlines()
    assert params == "859520964"
    assert inherited.startswith("{'kept': ")
    assert (tmp_path / "exports" / "unet" / "config.json").is_file()


@pytest.mark.parametrize("path", sorted((REPOSITORY / "search_spaces").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_space_checks(path: Path) -> None:
    shown = archlab(f"archlab check {path}", REPOSITORY)
    assert shown.returncode == 0, shown.stderr


def test_the_picture_and_the_pages_that_the_readme_points_to_are_there() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (REPOSITORY / target).is_file(), target
