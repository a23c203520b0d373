"""A further objective, schedule or sampler is one class or function and one entry."""

from typing import Any

import pytest
import torch
from torch import Tensor

from archlab.diffusion.configured import configured_process
from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.objectives.objective import Objective
from archlab.diffusion.paths import VariancePreserving
from archlab.diffusion.process import Process
from archlab.diffusion.samplers import SAMPLERS
from archlab.diffusion.samplers.sampler import Predict
from archlab.diffusion.schedules import SCHEDULES
from archlab.diffusion.schedules.schedule import Schedule
from archlab.diffusion.settings import DiffusionSettings
from archlab.progress import ShareDone, silent_share

GENERATOR = torch.Generator().manual_seed(0)
LATENTS, NOISE = torch.randn(2, 6, 4, 8, 8, generator=GENERATOR)
TIMES = torch.tensor([0, 1, 250, 500, 998, 999])


class CleanLatents(Objective):
    """The latents themselves."""

    prediction_type = "sample"
    path = VariancePreserving

    def target(self, latents: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return latents

    def clean(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return prediction

    def noise(self, noisy: Tensor, prediction: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        return (noisy - alpha * prediction) / sigma

    def snr_weight(self, limited: Tensor, snr: Tensor, sigma: Tensor) -> Tensor:
        return limited


class Scaled(Schedule):
    """diffusers' ``scaled_linear``, Stable Diffusion's own."""

    def betas(self, shift: float) -> dict[str, Any]:
        return {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}

    def sigmas(self, places: Tensor, shift: float) -> Tensor:
        return places


def in_one_step(
    predict: Predict, noise: Tensor, process: Process, *, steps: int, limit: float, progress: ShareDone
) -> Tensor:
    """The latents that the first prediction means."""
    last = torch.tensor(999)
    clean = process.clean(noise, predict(noise, last), last)
    progress(1.0)
    return clean.clamp(-limit, limit)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    monkeypatch.setitem(OBJECTIVES.entries, "clean", CleanLatents())
    monkeypatch.setitem(SCHEDULES.entries, "scaled", Scaled())
    monkeypatch.setitem(SAMPLERS.entries, "one_step", in_one_step)
    return configured_process(DiffusionSettings(objective="clean", schedule="scaled", min_snr=5.0), sample_size=8)


def test_a_registered_objective_makes_batches(process: Process) -> None:
    batch = process.batch(LATENTS, NOISE, TIMES, torch.zeros(6, 8, 64))
    assert batch.target.equal(LATENTS)
    assert process.path.sigmas[999] ** 2 == pytest.approx(1 - 0.00466, abs=1e-4)  # as Stable Diffusion's last
    assert batch.weight[0] == 5  # limited
    assert batch.weight[-1] < 0.01


@pytest.mark.parametrize("sampler", SAMPLERS.names)
def test_every_sampler_draws_by_a_registered_objective(sampler: str, process: Process) -> None:
    drawn = SAMPLERS[sampler](
        lambda noisy, timestep: LATENTS, NOISE, process, steps=20, limit=10.0, progress=silent_share
    )
    torch.testing.assert_close(drawn, LATENTS, atol=1e-3, rtol=0)


def test_a_registered_sampler_draws(process: Process) -> None:
    shares: list[float] = []
    drawn = SAMPLERS["one_step"](
        lambda noisy, timestep: LATENTS, NOISE, process, steps=1, limit=0.5, progress=shares.append
    )
    assert drawn.equal(LATENTS.clamp(-0.5, 0.5))
    assert shares == [1.0]


@pytest.mark.parametrize("registry", [OBJECTIVES, SCHEDULES, SAMPLERS])
def test_every_entry_is_there_and_a_misspelt_one_gets_the_nearest(registry: Any) -> None:
    assert all(registry[name] is not None for name in registry.names)
    first = registry.names[0]
    with pytest.raises(ValueError, match=f"no '{first}x'; did you mean '{first}'"):
        registry[f"{first}x"]
