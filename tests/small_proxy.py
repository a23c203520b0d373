"""A pytest plugin: one small proxy, trained once for all who test data, training, scores and proxies."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from archlab.architecture import Block, Stage, Transformer, UNetSpec
from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.encoders.prepare import Prepared
from archlab.encoders.words import CONTEXT_DIM
from archlab.proxy.parts import prepare_proxy, proxy_scorer
from archlab.proxy.settings import ProxySettings, Scale
from archlab.proxy.training import Trained, train
from archlab.scores.validation import ValidationLoss


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCHLAB_CACHE", str(folder))
        yield folder


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
def prepared(settings: ProxySettings) -> Prepared:
    return prepare_proxy(settings)


@pytest.fixture(scope="session")
def val_loss(prepared: Prepared, settings: ProxySettings) -> Callable[[nn.Module], float]:
    return ValidationLoss(prepared, settings)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: Prepared, settings: ProxySettings) -> Path:
    """Where trainings are cached, and none is; the reader, which takes longest to train, is in memory."""
    proxy_scorer(prepared, settings)
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "trainings"


@pytest.fixture(scope="session")
def tiny_unet(small_unet: UNetSpec) -> UNetSpec:
    return replace(small_unet, stages=tuple(replace(stage, channels=4) for stage in small_unet.stages))


@pytest.fixture(scope="session")
def small_unet() -> UNetSpec:
    """Two stages, the lower one with transformers: trains in seconds."""
    plain, attending = Block(), Block(transformers=(Transformer(heads=2, ff_ratio=4),))
    return UNetSpec(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        context_dim=CONTEXT_DIM,
        context_length=8,
        norm_groups=4,
        stages=(
            Stage(channels=16, down=(plain,), up=(plain,), downsample="standard"),
            Stage(channels=32, down=(attending,), up=(attending,), upsample="standard"),
        ),
        middle=(),
    )


@pytest.fixture(scope="session")
def trained(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, val_loss: Callable[[nn.Module], float]
) -> Trained:
    """The small UNet after 200 steps."""
    longer = settings.model_copy(update={"rungs": (50, 200)})
    return train(small_unet, prepared, longer, seed=0, score=val_loss)
