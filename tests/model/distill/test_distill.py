"""A model distilled to few steps: from a folder to a folder, stopped and killed on the way."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.cli.main import cli
from archlab.diffusion.configured import configured_process
from archlab.diffusion.denoiser import Denoiser, add_noise, ddim_step
from archlab.diffusion.settings import DiffusionSettings
from archlab.errors import BadInput
from archlab.model import load_model
from archlab.model.distill import DistillSettings, distill_model
from archlab.model.sampling import noise_of, sample
from archlab.model.schedulers import few_step_scheduler
from archlab.model.train import train_model
from tests.model.train.test_train import rows
from tests.model.train.trainings import Heard, StopAfter, in_child, small, weights

UPDATES = 6


def quick(**changes: Any) -> DistillSettings:
    """Two phases of a few steps."""
    given = {
        "steps": 4,
        "from_steps": 8,
        "updates": UPDATES,
        "batch_size": 16,
        "threads": 1,
        "checkpoint_seconds": 0.02,
    }
    return DistillSettings(**(given | changes))


@pytest.fixture(scope="module")
def teacher(tiny_unet: UNetSpec, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that predicts the noise and draws with guidance."""
    return str(train_model(tiny_unet, small(steps=10, draw_every=1000), tmp_path_factory.mktemp("models") / "knee"))


@pytest.fixture(scope="module")
def student(teacher: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It, undisturbed, in four steps."""
    return distill_model(teacher, quick(), tmp_path_factory.mktemp("students") / "knee-4")


def same(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


def test_a_student_draws_in_its_own_steps_of_one_pass(teacher: str, student: Path) -> None:
    model = load_model(student)
    assert (model.facts.steps, model.passes(), load_model(teacher).passes()) == (4, 4, 4)  # of the teacher's 2 steps
    assert model.facts.diffusion == DiffusionSettings(objective="v")
    facts = model.facts.distillation
    assert facts is not None
    assert (facts.method, facts.of, facts.teacher, facts.guidance) == ("progressive", "knee", "knee", 2.0)
    assert facts.phases == ("guidance 2", "8 → 4 steps")
    assert facts.steps == 2 * UPDATES
    assert not {"ufogen", "dmd2"} & facts.settings.keys()
    assert len(model.generate("a handwritten three", seeds=[0, 1])) == 2
    assert not same(Path(teacher), student)
    assert sorted(path.name for path in (student / "samples").iterdir()) == [
        "final.png",
        "step-000006.png",
    ]
    assert "4 passes of the UNet an image" in (student / "card.md").read_text(encoding="utf-8")
    assert len((student / "curve.csv").read_text().splitlines()) == 1 + 2 * UPDATES


@pytest.mark.parametrize("steps", [8, 4, 1])
@pytest.mark.parametrize(("objective", "adds_noise"), [("v", False), ("v", True), ("flow", False)])
def test_schedulers_take_exactly_the_steps_that_were_learnt(objective: str, adds_noise: bool, steps: int) -> None:
    settings = DiffusionSettings(objective=objective)
    process = configured_process(settings, 8)
    scheduler = few_step_scheduler(settings, 8, steps, adds_noise=adds_noise)
    noise, generators = noise_of([0, 1], (1, 8, 8))
    denoiser, context = Denoiser(Smooth(), process), torch.zeros(2, 1, 1)

    def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
        return Smooth()(noisy, timestep.expand(2), context)

    found = sample(scheduler, predict, noise, generators, steps)
    latents, generators = noise_of([0, 1], (1, 8, 8))
    for step in range(steps, 0, -1):
        here, there = (torch.full((2,), process.path.first_place * each / steps) for each in (step, step - 1))
        clean = denoiser.clean(latents, here, context)
        if adds_noise and step > 1:
            fresh = torch.cat([torch.randn(1, 1, 8, 8, generator=generator) for generator in generators])
            latents = add_noise(process.path, clean, fresh, there)
        else:
            latents = ddim_step(process.path, latents, clean, here, there)
    torch.testing.assert_close(found, latents, atol=2e-4, rtol=1e-4)


class Smooth(torch.nn.Module):
    """A smooth answer."""

    def forward(self, noisy: Tensor, timesteps: Tensor, _context: Tensor) -> Tensor:
        return torch.tanh(noisy * (1 + timesteps.float()[:, None, None, None] / 1000))


@pytest.mark.parametrize("after", [3, UPDATES, UPDATES + 3])  # within both phases and between them
def test_after_ctrl_c_it_goes_on_at_the_very_step(after: int, teacher: str, student: Path, tmp_path: Path) -> None:
    settings, out = quick(checkpoint_seconds=1e6), tmp_path / "knee-4"
    with pytest.raises(KeyboardInterrupt):
        distill_model(teacher, settings, out, watchers=[StopAfter(after)])
    heard = Heard()
    distill_model(teacher, settings, out, watchers=[heard])
    assert (heard.began_at, heard.steps) == ([after], list(range(after + 1, 2 * UPDATES + 1)))
    assert same(out, student)
    again = Heard()
    distill_model(teacher, settings, out, watchers=[again])
    assert again.notices == [f"{out} is finished: nothing to do"]


def test_killed_it_comes_to_the_same_weights(teacher: str, student: Path, tmp_path: Path) -> None:
    out = tmp_path / "knee-4"
    child = in_child(lambda: distill_model(teacher, quick(), out))
    while not (out / "state").is_dir() or not list((out / "state").glob("step-*.safetensors")):
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    distill_model(teacher, quick(), out)
    assert same(out, student)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"method": "ufogen", "steps": 1, "from_steps": 2}, 1),
        ({"method": "dmd2", "steps": 2, "from_steps": 2, "dmd2": {"fake_updates": 1}}, 2),
        ({"most_guidance": 5.0, "guidance": 1.5}, 4),
    ],
    ids=["ufogen", "dmd2", "guidance as an input"],
)
def test_every_method_leaves_a_model(changes: dict[str, Any], passes: int, teacher: str, tmp_path: Path) -> None:
    settings = quick(updates=2, **changes)
    model = load_model(distill_model(teacher, settings, tmp_path / "model"))
    assert model.passes() == passes
    if settings.most_guidance is not None:
        assert model.facts.guidance == 1.5
        images = [model.draw(["a handwritten one"], [0], guidance=guidance) for guidance in (1.5, 5.0)]
        assert not images[0].equal(images[1])


def test_a_student_goes_on_to_fewer_steps_and_steadies_dmd2(teacher: str, student: Path, tmp_path: Path) -> None:
    two = distill_model(str(student), quick(steps=2, updates=2), tmp_path / "knee-2")
    facts = load_model(two).facts.distillation
    assert facts is not None
    assert facts.phases == ("4 → 2 steps",)
    settings = quick(
        steps=2, updates=1, method="dmd2", teacher=teacher, dmd2={"fake_updates": 1, "imitation": {"output": 0.5}}
    )
    model = load_model(distill_model(str(two), settings, tmp_path / "dmd2"))
    assert model.facts.distillation is not None
    assert (model.facts.distillation.of, model.facts.distillation.teacher) == ("knee-2", "knee")


def test_a_larger_teacher_of_few_steps_teaches_the_first_halving(
    small_unet: UNetSpec, teacher: str, tmp_path: Path
) -> None:
    large = str(train_model(small_unet, small(steps=3, draw_every=1000), tmp_path / "large"))
    eight = str(distill_model(large, quick(steps=8, updates=1, from_steps=16), tmp_path / "large-8"))
    settings = quick(steps=4, updates=2, teacher=eight)
    facts = load_model(distill_model(teacher, settings, tmp_path / "knee-4")).facts.distillation
    assert facts is not None
    assert (facts.of, facts.teacher, facts.phases) == ("knee", "large-8", ("guidance 1", "8 → 4 steps"))


def test_other_settings_and_other_folders_are_refused(teacher: str, student: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot go on: guidance was absent when it began and is 3"):
        distill_model(teacher, quick(guidance=3.0), student)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="not empty and no training"):
        distill_model(teacher, quick(), tmp_path)
    with pytest.raises(BadInput, match="draws in 4 steps and knows nothing of any other"):
        distill_model(str(student), quick(method="dmd2", steps=2), tmp_path / "new")
    with pytest.raises(BadInput, match="4 cannot be halved to 4"):
        distill_model(str(student), quick(), tmp_path / "new")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, ["distill", *arguments, "--wandb", "disabled"])


def test_as_it_is_typed(run: Callable[..., Any], teacher: str, tmp_path: Path) -> None:
    quickly = ("--updates", "1", "--batch-size", "16", "--set", "from_steps=8", "--set", "threads=1")
    result = run(teacher, "--steps", "4,2", *quickly)
    assert result.exit_code == 0, result.output
    assert [line for line in result.output.splitlines() if line.startswith("model")] == [
        "model   models/knee-4",
        "model   models/knee-2",
    ]
    facts = load_model("models/knee-2").facts.distillation
    assert facts is not None
    assert facts.of == "knee-4"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "eight"), "--steps: must be a number or several, like 8 or 8,4,1, not 'eight'"),
        (("--steps", "4,8"), "--steps: must fall, like 8,4,1, not '4,8'"),
        (("--steps", "16"), "--steps: diffusers' schedulers take exactly these steps only where they divide 1,000"),
        (("--steps", "8,4", "--out", "there"), "--out: names one model, and --steps asks for 2; leave it out"),
        (("--set", "gape=1"), "--set 'gape': unknown key; valid: "),
        (("--guidance", "0"), "--guidance: Input should be greater than 0, not 0"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str, run: Callable[..., Any], teacher: str) -> None:
    result = run(teacher, *arguments)
    assert isinstance(result.exception, BadInput)
    assert message in str(result.exception)
    assert not Path("models").exists()


@pytest.mark.slow
def test_two_processes_distil_as_one_with_the_double_batch(teacher: str, tmp_path: Path) -> None:
    quickly = "--method dmd2 --updates 2 --set from_steps=4 --set threads=1 --set dmd2.fake_updates=1 --wandb disabled"
    line = f"{sys.executable} -m archlab distill {teacher} --steps 2,1 {quickly} --batch-size 8 --processes 2"
    done = subprocess.run(shlex.split(line), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["model   models/knee-2", "model   models/knee-1"]
    settings = quick(method="dmd2", updates=2, from_steps=4, steps=2, dmd2={"fake_updates": 1})
    alone = distill_model(teacher, settings, tmp_path / "alone")
    ours, theirs = rows(tmp_path / "models" / "knee-2"), rows(alone)
    assert [float(row["loss"]) for row in ours] == pytest.approx([float(row["loss"]) for row in theirs], rel=1e-3)
