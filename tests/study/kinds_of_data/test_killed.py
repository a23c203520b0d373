"""A proxy that begins with the baseline's weights and learns from it, on photographs as a VAE and CLIP see them: killed
without warning, then taken up again."""

import multiprocessing
import time
from pathlib import Path

from archlab.study.executors.processes import PRELOADED
from tests.study.kinds_of_data.commands import ENCODED, run_study, write_mini

LEARNING = {
    "data": "photographs",
    "rungs": [2, 6],
    "objective": "v",
    "min_snr": 5,
    "init": "inherit",
    "distill": {"output": 1, "features": 0.5},
}


def kill_in_training(space: Path, folder: Path) -> Path:
    """Of the first trial that is saved in the middle of it; returns what it goes on from."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([*PRELOADED])
    driver = processes.Process(target=run_study, args=(space, folder))
    driver.start()
    while not (saved := list(folder.glob("studies/mini/trials/*/training-*.safetensors"))):
        assert driver.exitcode is None
        time.sleep(0.005)
    driver.kill()
    driver.join()
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
