"""What a small command loads: nothing heavy that it does not need, so that its first word comes at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NEVER = {"torch", "diffusers", "optuna", "scipy.stats", "wandb", "litert", "onnx"}


@pytest.mark.parametrize(
    ("words", "unloaded"),
    [
        ("--help", NEVER | {"pydantic", "numpy", "pandas", "matplotlib", "rich"}),
        ("presets", NEVER | {"pandas", "matplotlib"}),
        ("check search_spaces/quickstart.yaml --no-timing", NEVER | {"matplotlib"}),
        ("devices", NEVER - {"torch"} | {"matplotlib", "pandas"}),
    ],
)
def test_a_small_command_loads_nothing_heavy(words: str, unloaded: set[str]) -> None:
    repository = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "archlab", *words.split()],
        cwd=repository,
        env=os.environ | {"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}
    assert "archlab" in loaded
    assert loaded & unloaded == set()
