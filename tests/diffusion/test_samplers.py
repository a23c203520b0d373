"""Samplers are diffusers' schedulers, and lead from noise to the data."""

from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor

from archlab.diffusion.configured import configured_process
from archlab.diffusion.process import Process
from archlab.diffusion.samplers import SAMPLERS
from archlab.diffusion.samplers.sampler import Predict
from archlab.diffusion.settings import DiffusionSettings
from archlab.progress import ShareDone, silent_share

OBJECTIVES = ("epsilon", "v", "flow")
MEAN, DEVIATION = 0.3, 0.7
FAR = 1e6  # a limit that cuts nothing off


class Gaussian:
    """Knows that all latents are normal with one mean and deviation, and so the best prediction (Bayes' rule)."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def __call__(self, sample: Tensor, timestep: Tensor) -> Tensor:
        alpha, sigma = self.process.path.at(timestep)
        surprise = (sample - alpha * MEAN) / (alpha**2 * DEVIATION**2 + sigma**2)
        clean, noise = MEAN + alpha * DEVIATION**2 * surprise, sigma * surprise
        by_type = {"epsilon": noise, "v_prediction": alpha * noise - sigma * clean, "flow_prediction": noise - clean}
        return by_type[self.process.objective.prediction_type]


def process(objective: str, schedule: str = "cosine") -> Process:
    return configured_process(DiffusionSettings(objective=objective, schedule=schedule), sample_size=16)


def denoise(
    predict: Predict,
    noise: Tensor,
    process: Process,
    *,
    sampler: str,
    steps: int,
    limit: float = 1.0,
    progress: ShareDone = silent_share,
) -> Tensor:
    return SAMPLERS[sampler](predict, noise, process, steps=steps, limit=limit, progress=progress)


def noise(count: int = 64) -> Tensor:
    return torch.randn(count, 4, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("schedule", ["cosine", "linear", "shifted"])
@pytest.mark.parametrize("sampler", ["ddim", "dpm", "euler"])
def test_mean_and_deviation_of_the_data_come_out(sampler: str, schedule: str, objective: str) -> None:
    one = process(objective, schedule)
    for steps, tolerance in ((50, 0.02 if sampler == "dpm" else 0.05), (500, 0.01)):  # all but dpm are of first order
        drawn = denoise(Gaussian(one), noise(16), one, sampler=sampler, steps=steps, limit=FAR)
        assert drawn.mean().item() == pytest.approx(MEAN, abs=0.015)
        assert drawn.std().item() == pytest.approx(DEVIATION, rel=tolerance)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("sampler", ["ddim", "dpm", "euler"])
def test_one_step_gives_the_mean(sampler: str, objective: str) -> None:
    one = process(objective, "linear")
    drawn = denoise(Gaussian(one), noise(), one, sampler=sampler, steps=1, limit=FAR)
    torch.testing.assert_close(drawn, torch.full_like(drawn, MEAN), atol=0.02, rtol=0)


def by_hand(scheduler: Any, predict: Gaussian, steps: int) -> Tensor:
    """As a pipeline of diffusers' drives it."""
    sample = noise(2) * getattr(scheduler, "init_noise_sigma", 1.0)
    for timestep in scheduler.timesteps:
        seen = scheduler.scale_model_input(sample, timestep) if hasattr(scheduler, "scale_model_input") else sample
        sample = scheduler.step(predict(seen, timestep), timestep, sample).prev_sample
    return sample


@pytest.mark.parametrize(
    ("sampler", "scheduler"),
    [
        ("ddim", DDIMScheduler),
        ("dpm", DPMSolverMultistepScheduler),
        ("euler", EulerDiscreteScheduler),
    ],
)
@pytest.mark.parametrize(("objective", "prediction_type"), [("epsilon", "epsilon"), ("v", "v_prediction")])
@pytest.mark.parametrize(("schedule", "betas"), [("cosine", "squaredcos_cap_v2"), ("linear", "linear")])
def test_samplers_are_diffusers_own(
    sampler: str,
    scheduler: Any,
    objective: str,
    prediction_type: str,
    schedule: str,
    betas: str,
) -> None:
    one = process(objective, schedule)
    clips = {"clip_sample_range": FAR} if sampler == "ddim" else {}
    theirs = scheduler(beta_schedule=betas, prediction_type=prediction_type, timestep_spacing="trailing", **clips)
    theirs.set_timesteps(6)
    ours = denoise(Gaussian(one), noise(2), one, sampler=sampler, steps=6, limit=FAR)
    torch.testing.assert_close(ours, by_hand(theirs, Gaussian(one), 6), atol=5e-3, rtol=0)


@pytest.mark.parametrize("sampler", ["ddim", "euler"])
def test_flow_is_walked_by_diffusers_euler(sampler: str) -> None:
    one = process("flow", "shifted")  # 16 / 32
    theirs = FlowMatchEulerDiscreteScheduler(shift=0.5)
    theirs.set_timesteps(sigmas=[1.0, 0.8, 0.6, 0.4, 0.2])
    ours = denoise(Gaussian(one), noise(2), one, sampler=sampler, steps=5)
    torch.testing.assert_close(ours, by_hand(theirs, Gaussian(one), 5))


def test_flow_is_walked_by_diffusers_dpm_solver() -> None:
    one = process("flow", "linear")
    theirs = DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
    theirs.set_timesteps(40)  # from 0.999, and told whole time steps
    ours = denoise(Gaussian(one), noise(2), one, sampler="dpm", steps=40, limit=FAR)
    torch.testing.assert_close(ours, by_hand(theirs, Gaussian(one), 40), atol=0.02, rtol=0)


@pytest.mark.parametrize("objective", ["epsilon", "v"])
@pytest.mark.parametrize("sampler", ["ddim", "dpm", "euler"])
def test_a_small_error_where_all_is_noise_does_no_harm(sampler: str, objective: str) -> None:
    one = process(objective)
    exact = Gaussian(one)
    error = 0.02 * torch.randn(64, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    drawn = denoise(lambda x, t: exact(x, t) + error, noise(), one, sampler=sampler, steps=50, limit=4.0)
    assert drawn.abs().max() <= 4.01
    assert drawn.mean().item() == pytest.approx(MEAN, abs=0.05)
    assert drawn.std().item() == pytest.approx(DEVIATION, rel=0.1)


def test_progress_reaches_the_end() -> None:
    shares: list[float] = []
    one = process("epsilon")
    denoise(Gaussian(one), noise(1), one, sampler="dpm", steps=4, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]
