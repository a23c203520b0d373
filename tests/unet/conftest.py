"""One seed; a small spec in Stable Diffusion's pattern."""

import pytest
import torch

from archlab.architecture import UNetSpec
from archlab.architecture.presets import stable_diffusion


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def small() -> UNetSpec:
    """Two stages of 16 and 32 channels, 8 × 8 latents, text of width 24; about 0.3 M params."""
    return stable_diffusion(
        channels=(16, 32), depths=(1, 1), heads=(2, 4), sample_size=8, context_dim=24, norm_groups=4
    )
