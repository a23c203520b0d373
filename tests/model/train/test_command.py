"""``archlab train`` as a person types it."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from archlab.architecture import UNetSpec, save
from archlab.cli.main import cli
from archlab.errors import BadInput
from archlab.model import load_model
from archlab.model.train import train_model
from archlab.unet import build
from tests.model.train.test_train import rows
from tests.model.train.trainings import small

FEW = "--data digits --sample-size 8 --set sampling_steps=1 --set threads=1 --wandb disabled"


@pytest.fixture
def folder(tmp_path: Path, tiny_unet: UNetSpec, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with ``tiny.yaml``."""
    save(tiny_unet, tmp_path / "tiny.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_leaves_a_model_and_says_what_comes_next(folder: Path) -> None:
    command = f"train tiny.yaml --out models/mine --steps 3 --batch-size 2 --set ema_decay=0.5 {FEW}"
    result = CliRunner().invoke(cli, shlex.split(command), catch_exceptions=False)
    assert result.exit_code == 0
    assert "model   models/mine\n" in result.stdout
    assert "next    archlab generate models/mine --prompt 'a handwritten zero' --seeds 0,1,2\n" in result.stdout
    facts = load_model(folder / "models" / "mine").facts
    assert facts.training is not None
    assert facts.name == "mine"
    assert (facts.training.steps, facts.training.settings["ema_decay"]) == (3, 0.5)


def test_a_wrong_word_is_refused_before_there_is_a_folder(folder: Path) -> None:
    for wrong, message in (
        ("tinny --out models/a --data digits", "'tinny' is neither a preset nor an architecture YAML"),
        ("tiny.yaml --out models/a", "--data: is missing"),
        ("nostudy:knee --out models/a", "no study 'nostudy' in studies"),
        ("tiny.yaml --out models/a --data digits --set ema_deacy=1", "did you mean 'ema_decay'?"),
    ):
        with pytest.raises(BadInput, match=message.replace("?", r"\?")):
            CliRunner().invoke(cli, ["train", *shlex.split(wrong)], catch_exceptions=False)
    assert not (folder / "models").exists()


def archlab(line: str, folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "archlab", *shlex.split(line)]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_after_ctrl_c_the_state_is_there_and_the_last_line_says_how_to_go_on(folder: Path) -> None:
    line = f"train tiny.yaml --out models/mine --steps 100000 --set checkpoint_seconds=100000 {FEW}"
    process = archlab(line, folder)
    assert process.stdout is not None
    for said in process.stdout:
        if "step 100:" in said:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert rest.splitlines()[-1] == f"stopped; the training in models/mine is kept. To go on: archlab {line}"
    assert "Traceback" not in rest
    [state] = (folder / "models" / "mine" / "state").glob("step-*.safetensors")
    assert int(state.stem.removeprefix("step-")) >= 100
    assert not (folder / "models" / "mine" / "archlab.json").exists()


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one_with_the_double_batch(folder: Path, tiny_unet: UNetSpec) -> None:
    line = f"train tiny.yaml --out models/two --steps 8 --batch-size 2 --learning-rate 4e-3 {FEW} --processes 2"
    process = archlab(line, folder)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert said.count("step 8:") == 2  # its losses, its picture: the first process alone speaks
    train_model(tiny_unet, small(steps=8, batch_size=4, sampling_steps=1), folder / "models" / "one")
    two, one = rows(folder / "models" / "two"), rows(folder / "models" / "one")
    assert [float(row["loss"]) for row in two] == pytest.approx([float(row["loss"]) for row in one], rel=1e-5)
    assert float(two[-1]["val_loss"]) == pytest.approx(float(one[-1]["val_loss"]), rel=1e-5)
    refused = archlab(f"{line} --set ema_decay=0.1", folder)
    said, _ = refused.communicate(timeout=300)
    assert refused.returncode == 2
    assert said.count("ema_decay was 0.99 when it began and is 0.1 now") == 1


def test_a_dry_run_says_what_a_step_takes_and_trains_nothing(folder: Path, tiny_unet: UNetSpec) -> None:
    line = "train tiny.yaml --out models/mine --teacher tiny.yaml --batch-size 6 --steps 5 --processes 2 --dry-run"
    result = CliRunner().invoke(cli, shlex.split(line), catch_exceptions=False)
    assert result.exit_code == 0
    facts = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    params = sum(weight.numel() for weight in build(tiny_unet).parameters())
    assert (facts["params"], facts["images_per_step"], facts["images"]) == (f"{params:,}", "12", "60")
    megabytes = {name.removesuffix("_mb"): float(value) for name, value in facts.items() if name.endswith("_mb")}
    expected = {"weights": 1, "gradients": 1, "optimizer": 2, "average": 1, "teacher": 1}
    assert {name: megabytes[name] for name in expected} == pytest.approx(
        {name: times * 4 * params / 1e6 for name, times in expected.items()}, rel=1e-3
    )
    whole = sum(megabytes[name] for name in (*expected, "activations"))
    assert megabytes["peak"] == pytest.approx(whole, rel=1e-3)
    assert float(facts["activations_mb_checkpointed"]) < megabytes["activations"]
    assert not (folder / "models").exists()
