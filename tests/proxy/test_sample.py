from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from torch import Tensor, nn

from archlab.proxy import CaptionedImages, feature_network
from archlab.proxy.diffusion import noise_schedule, spread_timesteps
from archlab.proxy.sample import generate, grid
from archlab.proxy.train import Trained

SHAPE = (1, 8, 8)


class Oracle(nn.Module):
    """Knows the one image that all noise was added to, and so the noise."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image
        self.alphas = noise_schedule().alphas_cumprod

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        alpha = self.alphas[timestep][:, None, None, None]
        noise: Tensor = (sample - alpha.sqrt() * self.image) / (1 - alpha).sqrt()
        return noise


def test_perfect_noise_prediction_gives_back_the_image(digits: CaptionedImages) -> None:
    image = digits.images[7]
    drawn = generate(Oracle(image), ["x"] * 3, SHAPE, steps=5, guidance=2, seed=0)
    torch.testing.assert_close(drawn, image.expand(3, *SHAPE), atol=1e-3, rtol=0)


def test_sampling_is_reproducible_and_does_not_depend_on_company(trained: Trained) -> None:
    prompts = ["a handwritten one", "a handwritten two", "a handwritten six"] * 50  # more than one batch
    first = generate(trained.unet, prompts, SHAPE, steps=2, guidance=2, seed=0)
    again = generate(trained.unet, prompts, SHAPE, steps=2, guidance=2, seed=0)
    alone = generate(trained.unet, prompts[:1], SHAPE, steps=2, guidance=2, seed=0)
    other = generate(trained.unet, prompts[:1], SHAPE, steps=2, guidance=2, seed=1)
    assert first.equal(again)
    assert first.shape == (150, *SHAPE)
    assert first.abs().max() <= 1
    torch.testing.assert_close(first[:1], alone, atol=1e-4, rtol=0)
    assert not torch.allclose(alone, other, atol=0.1)


def test_guidance_makes_samples_follow_the_prompt(trained: Trained, digits: CaptionedImages) -> None:
    prompts = digits.prompts * 10
    wanted = torch.arange(100) % 10

    def share_right(guidance: float) -> float:
        drawn = generate(trained.unet, prompts, SHAPE, steps=8, guidance=guidance, seed=0)
        return (feature_network("digits").classify(drawn) == wanted).double().mean().item()

    unguided, guided = share_right(1), share_right(4)
    assert guided > 0.4  # chance is 0.1
    assert guided > unguided


def test_unguided_sampling_is_what_diffusers_gives(trained: Trained, digits: CaptionedImages) -> None:
    from archlab.proxy.text import encode

    schedule = DDIMScheduler.from_config(noise_schedule().config, timestep_spacing="trailing")
    schedule.set_timesteps(4)
    sample = torch.randn((2, *SHAPE), generator=torch.Generator().manual_seed(0))
    prompts = digits.prompts[:2]
    with torch.no_grad():
        for timestep in schedule.timesteps:
            noise = trained.unet(sample, torch.full((2,), int(timestep)), encode(prompts))
            sample = schedule.step(noise, timestep, sample).prev_sample
    drawn = generate(trained.unet, prompts, SHAPE, steps=4, guidance=1, seed=0)
    torch.testing.assert_close(drawn, sample.clamp(-1, 1))


def test_timesteps_cover_the_process_evenly() -> None:
    timesteps = spread_timesteps(50, torch.Generator().manual_seed(0))
    assert sorted((timesteps // 20).tolist()) == list(range(50))  # one in each fiftieth of 1,000
    assert timesteps.tolist() != sorted(timesteps.tolist())


def test_grid_has_one_row_a_prompt_with_crisp_pixels(tmp_path: Path) -> None:
    checker = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0 - 1
    images = checker.expand(6, *SHAPE)
    grid(images, ["one", "two", "three"] * 2, tmp_path / "samples.png")
    with Image.open(tmp_path / "samples.png") as picture:
        pixels = np.asarray(picture.convert("L")).astype(float)
    height, width = pixels.shape
    assert height > 3 * 50
    right = pixels[:, width // 2 :]  # apart from the captions: only black, white and their borders
    assert ((right < 5) | (right > 250)).mean() > 0.98
    assert [path.name for path in tmp_path.iterdir()] == ["samples.png"]


def test_colour_images_are_drawn_in_colour(tmp_path: Path) -> None:
    red = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(2, 3, 8, 8)
    grid(red, ["red", "red"], tmp_path / "samples.png")
    with Image.open(tmp_path / "samples.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels == (255, 0, 0)).all(axis=2).any()


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_progress_reaches_the_end(guidance: float, trained: Trained) -> None:
    shares: list[float] = []
    generate(trained.unet, [""] * 130, SHAPE, steps=2, guidance=guidance, seed=0, progress=shares.append)
    assert shares == [0.25, 0.5, 0.75, 1.0]
