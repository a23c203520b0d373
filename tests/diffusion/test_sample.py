from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from archlab.diffusion.configured import configured_process
from archlab.encoders.pixels import Pixels
from archlab.encoders.prepare import Prepared
from archlab.proxy.parts import text_to_image
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import Trained
from archlab.scores.attribute_classifier import load_classifier

SHAPE = (1, 8, 8)


class Oracle(nn.Module):
    """Knows the one image that all noise was added to, and so the noise."""

    def __init__(self, image: Tensor, settings: ProxySettings) -> None:
        super().__init__()
        self.image = image
        self.path = configured_process(settings, sample_size=8).path

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        alpha, sigma = (of[timestep.long()][:, None, None, None] for of in (self.path.alphas, self.path.sigmas))
        noise: Tensor = (sample - alpha * self.image) / sigma
        return noise


@pytest.fixture(scope="module")
def sampled(prepared: Prepared, settings: ProxySettings) -> Any:
    def draw(unet: nn.Module, prompts: Sequence[str], steps: int = 2, at_once: int = 128, **changes: Any) -> Tensor:
        return text_to_image(prepared, settings.model_copy(update=changes), at_once)(unet, prompts, steps)

    return draw


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "euler"])
def test_perfect_noise_prediction_gives_back_the_image(
    sampler: str, sampled: Any, prepared: Prepared, settings: ProxySettings
) -> None:
    image = prepared.data.images[7]
    drawn = sampled(Oracle(image, settings), ["x"] * 3, steps=5, sampler=sampler)
    torch.testing.assert_close(drawn, image.expand(3, *SHAPE), atol=1e-3, rtol=0)


class Tripled(Pixels):
    """Its latents are three times as large as pixels."""

    def decode(self, latents: Tensor) -> Tensor:
        return super().decode(latents / 3)


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "euler"])
def test_large_latents_are_not_cut_off(sampler: str, prepared: Prepared, settings: ProxySettings) -> None:
    tripled = replace(prepared, codec=Tripled(1), latents=3 * prepared.data.images)
    image = prepared.data.images[7]
    draw = text_to_image(tripled, settings.model_copy(update={"sampler": sampler}))
    torch.testing.assert_close(draw(Oracle(3 * image, settings), ["x"], 5)[0], image, atol=1e-3, rtol=0)


def test_sampling_is_reproducible_and_does_not_depend_on_company(sampled: Any, trained: Trained) -> None:
    prompts = ["a handwritten one", "a handwritten two", "a handwritten six"] * 5
    first = sampled(trained.unet, prompts, at_once=4)
    again = sampled(trained.unet, prompts, at_once=4)
    alone = sampled(trained.unet, prompts[:1])
    assert first.equal(again)
    assert first.shape == (15, *SHAPE)
    assert first.abs().max() <= 1
    torch.testing.assert_close(first[:1], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "euler"])
def test_guidance_makes_samples_follow_the_prompt(
    sampler: str, sampled: Any, trained: Trained, prepared: Prepared
) -> None:
    prompts, wanted = prepared.data.prompts_to_draw(100)
    judge = load_classifier(prepared.data)

    def share_right(guidance: float) -> float:
        drawn = sampled(trained.unet, prompts, steps=8, guidance=guidance, sampler=sampler)
        return (judge.read(drawn)[:, 0] == wanted[:, 0]).double().mean().item()

    unguided, guided = share_right(1), share_right(4)
    assert guided > 0.4  # chance is 0.1
    assert guided > unguided


def test_sampling_is_ddim_with_guidance(
    sampled: Any, trained: Trained, prepared: Prepared, settings: ProxySettings
) -> None:
    prompts = ["a handwritten three", "a handwritten nine"]
    schedule = DDIMScheduler(beta_schedule="squaredcos_cap_v2", timestep_spacing="trailing")
    schedule.set_timesteps(4)
    context, null = prepared.text.encode(prompts), prepared.text.encode(["", ""])
    sample = torch.randn((2, *SHAPE), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for timestep in schedule.timesteps:
            prompted, unprompted = (trained.unet(sample, timestep.expand(2), text) for text in (context, null))
            sample = schedule.step(3 * prompted - 2 * unprompted, timestep, sample).prev_sample
    drawn = sampled(trained.unet, prompts, steps=4, guidance=3, sampler="ddim")
    torch.testing.assert_close(drawn, sample.clamp(-1, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_progress_reaches_the_end(
    guidance: float, trained: Trained, prepared: Prepared, settings: ProxySettings
) -> None:
    shares: list[float] = []
    sampler = text_to_image(prepared, settings.model_copy(update={"guidance": guidance}), at_once=4)
    sampler(trained.unet, [""] * 6, 2, shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]
