"""A proxy that begins with the baseline's weights and learns from it, on photographs as a VAE and CLIP see them: killed
without warning, then taken up again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.study.kinds_of_data.commands import ENCODED, arguments, run_study, write_mini

LEARNING = {
    "data": "photographs",
    "rungs": [2, 16],
    "objective": "v",
    "min_snr": 5,
    "init": "inherit",
    "distill": {"output": 1, "features": 0.5},
}


def kill_in_training(space: Path, folder: Path) -> Path:
    """Of the first trial that is saved in the middle of it; returns what it goes on from."""
    command = [sys.executable, "-m", "archlab.cli.main", *arguments(space, folder)]
    environment = os.environ | {"ARCHLAB_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (saved := list(folder.glob("studies/mini/trials/*/training-*.safetensors"))):
        assert driver.poll() is None, driver.communicate()[1]
        time.sleep(0.005)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    return saved[0]


def test_a_killed_study_comes_to_the_same_table_and_the_same_weights(folder: Path, tmp_path: Path) -> None:
    space = write_mini(folder, {**LEARNING, **ENCODED})
    undisturbed = run_study(space, tmp_path / "undisturbed")
    state = kill_in_training(space, tmp_path / "killed")
    assert state.is_file()
    assert not (state.parent / "evaluation.json").exists()
    resumed = run_study(space, tmp_path / "killed")

    assert "complete" in set(resumed.study.trials["status"])
    assert resumed.facts == undisturbed.facts
    assert not state.exists()
