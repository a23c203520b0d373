"""Two real processes learn what one learns from batches twice as large."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.launch import launch_command_parser
from accelerate.utils.launch import prepare_simple_launcher_cmd_env

from archlab.architecture import UNetSpec, save
from archlab.checkpoint import read_checkpoint
from archlab.errors import BadInput
from archlab.training.processes import ALONE, launched
from tests.training.together import BATCH_SIZE, STEPS, begin

REPOSITORY = Path(__file__).parents[2]
CPU = torch.device("cpu")


def test_two_processes_have_the_curve_of_one_with_the_double_batch(small_unet: UNetSpec, tmp_path: Path) -> None:
    save(small_unet, tmp_path / "unet.yaml")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*torchrun, "--module", "tests.training.together", tmp_path / "unet.yaml", tmp_path]
    subprocess.run(command, check=True, cwd=REPOSITORY)
    ours = [read_checkpoint(tmp_path / rank, "") for rank in ("0", "1")]
    alone = begin(small_unet, 2 * BATCH_SIZE, ALONE)
    alone.run(STEPS)
    for checkpoint in ours:
        assert checkpoint is not None
        assert checkpoint.facts["count"] == 2
        assert checkpoint.facts["losses"] == pytest.approx([row.loss for row in alone.curve], rel=1e-5)
        assert checkpoint.facts["resumed"] == checkpoint.facts["losses"]
        assert checkpoint.facts["other after resuming"] == []
    first, second = (checkpoint.tensors for checkpoint in ours if checkpoint is not None)
    assert [name for name in first if name != "curve" and not first[name].equal(second[name])] == []


def test_a_launcher_that_starts_fewer_than_it_was_asked_for_is_told() -> None:
    def environment(count: int) -> dict[str, str]:
        """What accelerate's launcher for one process starts it with."""
        options = f"--cpu --mixed_precision no --dynamo_backend no --num_machines 1 --num_processes {count} train.py"
        found: dict[str, str] = prepare_simple_launcher_cmd_env(launch_command_parser().parse_args(options.split()))[1]
        return found

    assert launched(CPU, environment(1)) is ALONE
    with pytest.raises(BadInput, match="accelerate launch was asked for several processes and started one"):
        launched(CPU, environment(2))


def test_one_process_needs_no_launcher() -> None:
    assert launched(CPU, {}) is ALONE
    assert launched(CPU, {"WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}) is ALONE  # torchrun's
