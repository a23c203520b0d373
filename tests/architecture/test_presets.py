import pytest

from archlab.architecture import preset, presets
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


def test_stable_diffusion_at_half_the_resolution() -> None:
    assert count(preset("sd15").scaled(sample_size=32)).macs_g == pytest.approx(90.1, abs=0.051)


def test_every_preset_has_one_line_about_it() -> None:
    for name, about in presets().items():
        assert about.strip()
        assert "\n" not in about
        assert preset(name) == preset(name)


@pytest.mark.parametrize(("typo", "meant"), [("bk_sdm_tin", "bk_sdm_tiny"), ("SDXL", "sdxl")])
def test_misspelt_preset_names_the_nearest(typo: str, meant: str) -> None:
    with pytest.raises(BadInput) as caught:
        preset(typo)
    assert repr(typo) in str(caught.value)
    assert meant in str(caught.value)


def test_unknown_preset_lists_all() -> None:
    with pytest.raises(BadInput) as caught:
        preset("imagen")
    assert all(name in str(caught.value) for name in presets())
