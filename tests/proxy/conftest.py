"""One small proxy, trained once, and a cache folder of the tests' own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archlab.architecture import Block, Stage, Transformer, UNetSpec
from archlab.proxy import CaptionedImages, feature_network, load_data
from archlab.proxy.score import ValidationLoss
from archlab.proxy.text import CONTEXT_DIM, CONTEXT_LENGTH
from archlab.proxy.train import Trained, train
from archlab.space.settings import ProxySettings, Scale


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHLAB_CACHE", str(folder))
        feature_network.cache_clear()
        yield folder
    feature_network.cache_clear()


@pytest.fixture(scope="session")
def digits() -> CaptionedImages:
    return load_data("digits", 8)


@pytest.fixture(scope="session")
def settings() -> ProxySettings:
    """Enough training for the loss to fall, few and quick samples."""
    return ProxySettings(
        data="digits",
        scale=Scale(width=1, sample_size=8),
        rungs=(10, 20),
        batch_size=32,
        learning_rate=4e-3,
        samples=40,
        sampling_steps=5,
    )


@pytest.fixture(scope="session")
def small_unet() -> UNetSpec:
    """Two stages, the lower one with transformers: trains in seconds."""
    plain, attending = Block(), Block(transformers=(Transformer(heads=2, ff_ratio=4),))
    return UNetSpec(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        context_dim=CONTEXT_DIM,
        context_length=CONTEXT_LENGTH,
        norm_groups=4,
        stages=(
            Stage(channels=16, down=(plain,), up=(plain,), downsample="standard"),
            Stage(channels=32, down=(attending,), up=(attending,), upsample="standard"),
        ),
        middle=(),
    )


@pytest.fixture(scope="session")
def trained(small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings) -> Trained:
    """The small UNet after 200 steps."""
    longer = settings.model_copy(update={"rungs": (50, 200)})
    return train(small_unet, digits, longer, seed=0, score=ValidationLoss(digits))
