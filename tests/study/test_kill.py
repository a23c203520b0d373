"""Real trials, killed without warning."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from archlab.study import load_study
from tests.study.spaces import MINI, write_space


def start(space: Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "archlab", "study", str(space), "--wandb", "disabled"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_after_kill_9_in_training_every_finished_trial_is_there_and_the_study_completes(tmp_path: Path) -> None:
    folder = tmp_path / "mit Umlaut ä und Leerzeichen"
    folder.mkdir()
    space = write_space(folder, MINI.replace("trials: 6", "trials: 4"))
    driver = start(space, folder)
    assert driver.stdout is not None
    for line in driver.stdout:
        if "trial 1: training the proxy" in line:
            break
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    kept = {path: path.read_bytes() for path in folder.glob("studies/mini/trials/*/evaluation.json")}
    assert len(kept) == 1

    rerun = start(space, folder)
    output, _ = rerun.communicate(timeout=300)
    assert rerun.returncode == 0, output
    assert "going on after 0 of 4 trials and the baseline" in output
    assert {path: path.read_bytes() for path in kept} == kept
    study = load_study("mini", folder / "studies")
    assert (study.trials["status"] == "complete").sum() == 4 + 1
    assert list(study.trials["trial"]) == list(range(len(study.trials)))
    assert (folder / "reports" / "mini" / "index.html").is_file()
    evaluation = json.loads((study.files.trial(1) / "evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["proxy"]["val_loss"] > 0


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    space = write_space(tmp_path)
    driver = start(space, tmp_path)
    assert driver.stdout is not None
    for line in driver.stdout:
        if "training the proxy" in line:
            break
    time.sleep(0.2)
    driver.send_signal(signal.SIGINT)
    rest = driver.stdout.read()
    assert driver.wait() == 130
    assert (
        rest.splitlines()[-1]
        == f"stopped; every finished trial is kept. To go on: archlab study {space} --wandb disabled"
    )
    assert "Traceback" not in rest
