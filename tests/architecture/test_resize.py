from dataclasses import replace

import pytest

from archlab.architecture import Transformer, UNetSpec, fit_heads, layout, preset, presets
from archlab.errors import BadInput

WIDTHS = (0.001, 0.05, 0.1, 0.25, 0.33, 0.5, 0.9, 1.5, 2)


@pytest.mark.parametrize("name", presets())
def test_width_one_is_the_same_spec(name: str) -> None:
    assert preset(name).scaled(width=1) == preset(name)
    assert preset(name).scaled() == preset(name)


@pytest.mark.parametrize("name", presets())
@pytest.mark.parametrize("width", WIDTHS)
def test_every_preset_can_be_shrunk_and_keeps_its_structure(name: str, width: float) -> None:
    spec = preset(name)
    proxy = spec.scaled(width=width, sample_size=16)
    assert proxy.sample_size == 16
    assert [node.name for node in layout(proxy)] == [node.name for node in layout(spec)]
    assert [len(node.transformers) for node in layout(proxy)] == [len(node.transformers) for node in layout(spec)]
    for before, after in zip(spec.stages, proxy.stages, strict=True):
        assert after.channels % proxy.norm_groups == 0
        assert after.channels % 8 == 0
        assert after.channels == pytest.approx(before.channels * width, abs=max(32, 0.05 * before.channels * width))
    for node in layout(proxy):
        for transformer in node.transformers:
            assert node.out_channels // transformer.heads >= 8


def test_stable_diffusion_at_a_tenth_by_hand() -> None:
    # 32 groups × 0.1 is 3.2: at least 4. 320, 640, 1280 × 0.1 to whole eights: 32, 64, 128. Heads of 8: 4, 8, 8 of 8.
    proxy = preset("sd15").scaled(width=0.1, sample_size=16)
    assert proxy.norm_groups == 4
    assert [stage.channels for stage in proxy.stages] == [32, 64, 128, 128]
    heads = [stage.down[0].transformers[0].heads for stage in proxy.stages[:3]]
    assert heads == [4, 8, 8]


def test_heads_as_wide_as_before_are_fewer() -> None:
    # By hand: sdxl's 640 and 1280 channels have 10 and 20 heads of 64. A fifth is 128 and 256 channels: 2 and 4 heads.
    wide = preset("sdxl").scaled(width=0.2, heads="width")
    heads = {(node.out_channels, t.heads) for node in layout(wide) for t in node.transformers}
    assert heads == {(128, 2), (256, 4)}
    # sd15's 8 heads of 40, 80 and 160 channels don't fit twice into a tenth: one head of all channels.
    narrow = preset("sd15").scaled(width=0.1, heads="width")
    assert {t.heads for node in layout(narrow) for t in node.transformers} == {1}


def test_wider_keeps_groups_and_heads() -> None:
    wide = preset("sd15").scaled(width=2)
    assert wide.norm_groups == 32
    assert [stage.channels for stage in wide.stages] == [640, 1280, 2560, 2560]
    assert wide.middle[0].transformers == preset("sd15").middle[0].transformers


@pytest.mark.parametrize("width", [0, -1, float("nan"), float("inf"), 1e308, pytest.param(10**400, id="10**400")])
def test_impossible_width_is_refused(width: float) -> None:
    with pytest.raises(BadInput, match="width"):
        preset("tiny").scaled(width=width)


@pytest.mark.parametrize("sample_size", [-4, 0, 6, 17])
def test_impossible_sample_size_is_refused(sample_size: int) -> None:
    with pytest.raises(BadInput, match="sample_size"):
        preset("tiny").scaled(sample_size=sample_size)


def test_with_channels_refits_heads_and_nothing_else(small: UNetSpec) -> None:
    wide = small.with_channels([16, 24])
    assert [stage.channels for stage in wide.stages] == [16, 24]
    # 24 = 3 heads of 8; 4 heads would leave 6 channels each.
    assert wide.stages[1].down[0].transformers == (Transformer(heads=3),)
    assert wide.middle[0].transformers == (Transformer(heads=3),)
    assert small.with_channels([32, 64]) == small


def test_with_channels_refuses_a_wrong_number(small: UNetSpec) -> None:
    with pytest.raises(BadInput, match="2 stages need as many numbers, got 1"):
        small.with_channels([32])


@pytest.mark.parametrize(
    ("heads", "channels", "fitted"),
    [(8, 320, 8), (8, 32, 4), (8, 24, 3), (8, 8, 1), (8, 4, 1), (5, 64, 4), (20, 1280, 20), (1, 64, 1)],
)
def test_heads_divide_and_keep_eight_channels(heads: int, channels: int, fitted: int) -> None:
    assert fit_heads(Transformer(heads=heads), channels).heads == fitted


def test_fitting_heads_keeps_other_attributes() -> None:
    transformer = Transformer(heads=8, ff_ratio=4, kv_sharing="all")
    assert fit_heads(transformer, 16) == replace(transformer, heads=2)
