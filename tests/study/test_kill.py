"""Real trials, killed without warning."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from archlab.study import load_study
from tests.study.spaces import MINI, write_space
from tests.terminal.screen import Terminal


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


def test_ctrl_c_at_a_terminal_leaves_what_is_kept_and_how_to_go_on_and_no_rubbish(tmp_path: Path) -> None:
    space = write_space(tmp_path, MINI.replace("rungs: [3]", "rungs: [5000]"))
    words = ["study", space.name, "--wandb", "disabled", "--name", "a_name_longer_than_22_columns"]
    terminal = Terminal([sys.executable, "-m", "archlab", *words], 80, tmp_path)
    terminal.press_ctrl_c_at("training the proxy")
    assert terminal.exit_code() == 130
    *before, bar, said, command = (line for line in terminal.screen if line)
    assert before == ["baseline: res_blocks=1/2 transformers=sd ff_ratio=8 conv=standard"]
    assert re.fullmatch(r"a_name_longer_than_22… ━+ 0:\d\d:\d\d 0 of 6 trials", bar)
    assert said == "stopped; every finished trial is kept. To go on:"
    assert command == f"archlab {' '.join(words)}"
