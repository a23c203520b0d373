"""One network small enough to be worked out by hand."""

import pytest

from archlab.architecture import Block, Stage, Transformer, UNetSpec


@pytest.fixture
def small() -> UNetSpec:
    """Two stages and a middle; transformers in the lower stage and the middle."""
    plain, attending = Block(), Block(transformers=(Transformer(heads=4),))
    return UNetSpec(
        sample_size=8,
        norm_groups=8,
        stages=(
            Stage(channels=32, down=(plain,), up=(plain, plain), downsample="standard"),
            Stage(channels=64, down=(attending,), up=(attending, attending), upsample="standard"),
        ),
        middle=(attending, plain),
    )
