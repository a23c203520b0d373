from collections.abc import Callable

import pytest

from archlab.architecture import Block, blocks, layout, preset, preset_source, presets
from archlab.cost import count
from archlab.errors import BadInput

# (params, G MACs without the attention products, G MACs with them), as published or counted by others' tools
# at batch 1 and 77 tokens on the released models.
PUBLISHED = {
    "sd15": (859_520_964, 338.6, 401.6),
    "bk_sdm_base": (579_384_964, 223.7, 261.5),
    "bk_sdm_small": (482_346_884, 217.6, 255.4),
    "bk_sdm_tiny": (323_384_964, 205.0, 242.8),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_preset_counts_are_the_published_ones(name: str) -> None:
    params, linear, everything = PUBLISHED[name]
    cost = count(preset(name))
    assert cost.params == params
    assert cost.macs_without_attention / 1e9 == pytest.approx(linear, abs=0.051)
    assert cost.macs_g == pytest.approx(everything, abs=0.051)


def test_sdxl_counts_are_the_published_ones() -> None:
    cost = count(preset("sdxl"))
    assert cost.params == 2_567_463_684
    assert cost.macs_without_attention / 1e9 == pytest.approx(2989, abs=0.51)
    assert cost.macs_g == pytest.approx(3381, abs=0.51)
    half = count(preset("sdxl").scaled(sample_size=64))
    assert half.params == cost.params
    assert half.macs_without_attention / 1e9 == pytest.approx(767, abs=0.51)
    assert half.macs_g == pytest.approx(794, abs=0.51)


def test_stable_diffusion_2_has_the_params_of_the_released_model() -> None:
    assert count(preset("sd21")).params == 865_910_724


def test_stable_diffusion_at_half_the_resolution() -> None:
    assert count(preset("sd15").scaled(sample_size=32)).macs_g == pytest.approx(90.1, abs=0.051)


def test_every_preset_has_one_line_about_it_and_a_source() -> None:
    for name, about in presets().items():
        assert about.strip()
        assert "\n" not in about
        assert preset_source(name)
        assert preset(name) == preset(name)


@pytest.mark.parametrize(("name", "params_m"), [("mobilediffusion", 386), ("mobilediffusion_lite", 257)])
def test_reconstructions_have_about_the_published_params(name: str, params_m: float) -> None:
    assert count(preset(name)).params_m == pytest.approx(params_m, rel=0.02)


@pytest.mark.parametrize("name", ["mobilediffusion", "mobilediffusion_lite"])
def test_reconstructions_keep_every_stated_rule(name: str) -> None:
    """The rules as the paper and its reviews tell them, see the preset's docstring."""
    spec = preset(name)
    assert [(len(stage.down), len(stage.up)) for stage in spec.stages] == [(1, 1), (1, 1), (1, 1), (2, 2)]
    assert len(spec.middle) == 2
    sizes = {node.name: node.size for node in layout(spec)}
    for block_name, _, block in blocks(spec):
        place, size = block_name.split("."), sizes[block_name]
        inner = place[0] == "middle" or place[1] == "3"
        assert block.conv == ("standard" if size == 64 else "separable")
        assert bool(block.transformers) == (size < 64 and block_name != "middle.1")
        for transformer in block.transformers:
            assert transformer.cross_attention
            assert transformer.self_attention == inner
            assert transformer.shares_kv("self")
            assert (transformer.ff_ratio, transformer.ff_activation, transformer.ff_gated) == (6, "swish", True)
            assert transformer.attention_normalizer == "softmax->relu"
    assert {sizes[f"down.{stage}.0"] for stage in (2, 3)} == {16}


def test_snapfusion_has_the_blocks_of_the_papers_table() -> None:
    """arXiv 2306.00980, Table 3, as (transformers, residual blocks) of each part; Mid is stage 3 with the middle."""
    spec = preset("snapfusion")

    def both(blocks: tuple[Block, ...]) -> tuple[int, int]:
        return sum(len(block.transformers) for block in blocks), len(blocks)

    assert [both(stage.down) for stage in spec.stages[:3]] == [(0, 2), (2, 2), (2, 1)]
    assert both(spec.stages[3].down + spec.middle + spec.stages[3].up) == (1, 4)
    assert [both(stage.up) for stage in reversed(spec.stages[:3])] == [(6, 2), (3, 3), (0, 3)]


@pytest.mark.parametrize(("typo", "meant"), [("bk_sdm_tin", "bk_sdm_tiny"), ("SDXL", "sdxl")])
def test_misspelt_preset_names_the_nearest(typo: str, meant: str) -> None:
    with pytest.raises(BadInput) as caught:
        preset(typo)
    assert repr(typo) in str(caught.value)
    assert meant in str(caught.value)


@pytest.mark.parametrize("look_up", [preset, preset_source])
def test_unknown_preset_lists_all(look_up: Callable[[str], object]) -> None:
    with pytest.raises(BadInput) as caught:
        look_up("dalle")
    assert all(name in str(caught.value) for name in presets())
