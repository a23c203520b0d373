"""From a VAE and CLIP to pictures without torch, by the commands that people type."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from archlab.cli.main import cli
from archlab.model import load_model
from tests.encoders.tiny import save_clip, save_kl
from tests.export.program import drawn_by_program, share_within_one

TRAIN = ["train", "tiny", "--data", "digits", "--vae", "vae", "--text", "clip", "--steps", "2", "--batch-size", "4"]
SMALL = ["--set", "scale.width=0.25", "--set", "scale.sample_size=4", "--set", "sampling_steps=8"]


def test_program_draws_what_a_trained_model_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_kl(Path("vae"))
    save_clip(Path("clip"))
    for command in (
        [*TRAIN, *SMALL, "--out", "models/small"],
        [
            "export",
            "models/small",
            "--forms",
            "tflite,diffusers",
            "--precision",
            "fp32",
            "--compare",
            "2",
            "--score",
            "0",
        ],
    ):
        done = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    exported = tmp_path / "exports" / "small"
    for model in map(load_model, ("models/small", "exports/small")):
        assert (model.name, model.facts.steps) == ("small", 8)
        drawn = drawn_by_program(exported, model, "a handwritten seven")
        assert share_within_one(drawn, model, "a handwritten seven") >= 0.99
