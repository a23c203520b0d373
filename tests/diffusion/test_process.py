"""Noise, targets and weights are those of diffusers' schedulers and training scripts."""

import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor, nn

from archlab.diffusion.configured import configured_process
from archlab.diffusion.process import NoisyBatch, Process, loss, spread_times
from archlab.diffusion.settings import DiffusionSettings

TIMES = torch.tensor([0, 1, 250, 500, 998, 999])
GENERATOR = torch.Generator().manual_seed(0)
LATENTS, NOISE = torch.randn(2, 6, 4, 8, 8, generator=GENERATOR)
BETAS = {"cosine": "squaredcos_cap_v2", "linear": "linear"}


def process(sample_size: int = 16, **changes: object) -> Process:
    return configured_process(DiffusionSettings.model_validate(changes), sample_size)


def column(values: Tensor) -> Tensor:
    return values[:, None, None, None]


@pytest.mark.parametrize("schedule", BETAS)
def test_noise_and_targets_are_those_of_ddpm(schedule: str) -> None:
    theirs = DDPMScheduler(beta_schedule=BETAS[schedule])
    for objective in ("epsilon", "v"):
        ours = process(objective=objective, schedule=schedule)
        assert ours.noisy(LATENTS, NOISE, TIMES).equal(theirs.add_noise(LATENTS, NOISE, TIMES))
        assert ours.path.timesteps(TIMES).equal(TIMES)
    assert process(schedule=schedule).target(LATENTS, NOISE, TIMES).equal(NOISE)
    assert ours.target(LATENTS, NOISE, TIMES).equal(theirs.get_velocity(LATENTS, NOISE, TIMES))


@pytest.mark.parametrize(("schedule", "sample_size", "shift"), [("linear", 16, 1.0), ("shifted", 16, 0.5)])
def test_flow_is_that_of_diffusers(schedule: str, sample_size: int, shift: float) -> None:
    theirs = FlowMatchEulerDiscreteScheduler(shift=shift)  # from most noise to least
    ours = process(sample_size, objective="flow", schedule=schedule)
    torch.testing.assert_close(ours.path.sigmas.flip(0), theirs.sigmas)
    torch.testing.assert_close(ours.path.timesteps(TIMES), theirs.timesteps.flip(0)[TIMES])
    noisy = theirs.scale_noise(LATENTS, theirs.timesteps.flip(0)[TIMES], NOISE)
    torch.testing.assert_close(ours.noisy(LATENTS, NOISE, TIMES), noisy)
    assert ours.target(LATENTS, NOISE, TIMES).equal(NOISE - LATENTS)  # as train_dreambooth_sd3.py has it


def test_flow_with_cosine_has_the_noise_of_cosine_at_every_time() -> None:
    # cos_map of diffusers' train_dreambooth_sd3.py draws u evenly and takes 1 - 1 / (tan(πu/2) + 1)
    flow = process(objective="flow")
    u = torch.arange(1, 1001, dtype=torch.float64) / 1000
    torch.testing.assert_close(flow.path.sigmas, (1 - 1 / (torch.tan(torch.pi / 2 * u) + 1)).float())
    ratios = [(one.path.sigmas / one.path.alphas)[100:900] for one in (flow, process())]
    torch.testing.assert_close(ratios[0], ratios[1], rtol=0.08, atol=0)  # arXiv 2102.09672 has an offset of 0.008


@pytest.mark.parametrize(("objective", "side"), [("epsilon", 64), ("v", 64), ("flow", 32)])
def test_shifted_moves_the_ratio_of_noise_to_signal_by_the_resolution(objective: str, side: int) -> None:
    usual = process(objective=objective, schedule="linear" if objective == "flow" else "cosine")
    for sample_size in (side // 4, side, 2 * side):
        shifted = process(sample_size, objective=objective, schedule="shifted")
        ratio = (shifted.path.sigmas / shifted.path.alphas) / (usual.path.sigmas / usual.path.alphas)
        torch.testing.assert_close(ratio[:990], torch.full((990,), sample_size / side), rtol=1e-2, atol=0)


@pytest.mark.parametrize("objective", ["epsilon", "v"])
def test_min_snr_weights_are_those_of_the_training_script(objective: str) -> None:
    # train_text_to_image.py: min(SNR, γ) / SNR, and / (SNR + 1) for v
    snr = compute_snr(DDPMScheduler(beta_schedule="squaredcos_cap_v2"), TIMES)
    divisor = snr if objective == "epsilon" else snr + 1
    expected = torch.minimum(snr, torch.full_like(snr, 5.0)) / divisor
    torch.testing.assert_close(process(objective=objective, min_snr=5.0).weight(TIMES), expected)
    assert process(objective=objective).weight(TIMES).equal(torch.ones(6))


@pytest.mark.parametrize("objective", ["epsilon", "v", "flow"])
def test_weighed_losses_of_all_objectives_are_one_loss_of_the_clean_latents(objective: str) -> None:
    one = process(objective=objective, min_snr=5.0)
    times = torch.full((6,), 400)
    noisy, target = one.noisy(LATENTS, NOISE, times), one.target(LATENTS, NOISE, times)
    wrong = target + 0.1 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    clean = one.clean(noisy, wrong, one.path.timesteps(times)[0])
    snr = (one.path.alphas[400] / one.path.sigmas[400]) ** 2
    expected = snr.clamp(max=5) * (clean - LATENTS).square().mean()
    torch.testing.assert_close((one.weight(times) * (wrong - target).square().mean((1, 2, 3))).mean(), expected)


@pytest.mark.parametrize("objective", ["epsilon", "v", "flow"])
@pytest.mark.parametrize("schedule", ["cosine", "linear", "shifted"])
def test_a_right_prediction_means_the_latents(objective: str, schedule: str) -> None:
    one = process(objective=objective, schedule=schedule)
    for time in (0, 300, 900):
        times = torch.full((6,), time)
        noisy, target = one.noisy(LATENTS, NOISE, times), one.target(LATENTS, NOISE, times)
        clean = one.clean(noisy, target, one.path.timesteps(times)[0])
        torch.testing.assert_close(clean, LATENTS, atol=1e-4, rtol=1e-4)


def test_times_cover_the_process_evenly() -> None:
    times = spread_times(50, torch.Generator().manual_seed(0))
    assert sorted((times // 20).tolist()) == list(range(50))  # one in each fiftieth of 1,000
    assert times.tolist() != sorted(times.tolist())


def test_loss_is_each_images_mean_square() -> None:
    class Zero(nn.Module):
        def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
            return torch.zeros_like(sample)

    batch = process().batch(LATENTS, NOISE, TIMES, torch.zeros(6, 8, 64))
    torch.testing.assert_close(loss(Zero(), batch), NOISE.square().mean((1, 2, 3)))
    parts = list(batch.split(4))
    assert [len(part.noisy) for part in parts] == [4, 2]
    assert all(torch.cat(both).equal(whole) for *both, whole in zip(*parts, batch, strict=True))
    assert isinstance(parts[0], NoisyBatch)
