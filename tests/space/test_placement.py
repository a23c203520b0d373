from typing import Any

import pytest

from archlab.architecture import Transformer, UNetSpec, preset
from archlab.errors import BadInput
from archlab.space.placement import place_transformers, read_placement


def depths(spec: UNetSpec) -> list[set[int]]:
    """Depths found in each stage, then in each block of the middle."""
    stages = [{len(block.transformers) for block in stage.down + stage.up} for stage in spec.stages]
    return stages + [{len(block.transformers)} for block in spec.middle]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sd", [1, 1, 1, 0, 1]),
        ("no_stage0", [0, 1, 1, 0, 1]),
        ("low_res", [0, 0, 1, 1, 1]),
        ("middle", [0, 0, 0, 0, 1]),
        ("none", [0, 0, 0, 0, 0]),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
        ([0, 0, 1, 1, 12], [0, 0, 1, 1, 12]),
    ],
)
def test_words_and_depths_on_stable_diffusion(value: Any, expected: list[int]) -> None:
    spec = place_transformers(preset("sd15"), value)
    # The last block of the middle stays without, as in Stable Diffusion.
    assert depths(spec) == [{depth} for depth in expected] + [{0}]
    assert read_placement(spec) == (value if isinstance(value, str) else tuple(value))


def test_lower_half_of_three_stages() -> None:
    assert depths(place_transformers(preset("tiny"), "low_res")) == [{0}, {0}, {1}, {1}, {0}]


def test_new_transformers_are_like_the_nearest() -> None:
    spec = place_transformers(preset("sd15"), [1, 1, 1, 2, 3])
    assert spec.stages[3].up[0].transformers == (Transformer(heads=8),) * 2
    assert spec.middle[0].transformers == (Transformer(heads=8),) * 3


def test_heads_keep_their_size_where_the_baseline_has_many_numbers() -> None:
    # SD 2.1 has heads of 64 channels: 5, 10, 20. SDXL too: 320 channels are 5 heads.
    assert place_transformers(preset("sd21"), "low_res").stages[3].down[0].transformers[0].heads == 20
    assert place_transformers(preset("sdxl"), [1, 1, 1, 1]).stages[0].down[0].transformers[0].heads == 5


def test_fewer_transformers_are_the_first() -> None:
    spec = place_transformers(preset("sdxl"), [0, 1, 3, 2])
    assert depths(spec) == [{0}, {1}, {3}, {2}, {0}]


def test_network_without_transformers_gets_ordinary_ones() -> None:
    bare = place_transformers(preset("sd15"), "none")
    assert place_transformers(bare, "sd") == preset("sd15")


def test_no_middle_to_put_them_in() -> None:
    with pytest.raises(BadInput, match="middle, which this baseline does not have"):
        place_transformers(preset("bk_sdm_small"), "middle")
    assert depths(place_transformers(preset("bk_sdm_small"), "sd")) == [{1}, {1}, {1}, {0}]


def test_uneven_network_has_no_placement() -> None:
    spec = preset("sd15")
    first = spec.stages[0]
    uneven = UNetSpec(
        sample_size=64,
        stages=(type(first)(channels=320, down=first.down, up=spec.stages[3].up),),
        middle=(),
    )
    assert read_placement(uneven) is None


@pytest.mark.parametrize("value", [[1, 1, 1, 1], [1, 1, 1, 1, -1], [1, 1, 1, 1, 65], [1, 1, 1, 1, True], [1.0] * 5])
def test_depths_that_cannot_be(value: list[Any]) -> None:
    with pytest.raises(BadInput, match="depths"):
        place_transformers(preset("sd15"), value)


@pytest.mark.parametrize("value", [None, 1, {"sd": 1}])
def test_value_that_is_no_placement(value: Any) -> None:
    with pytest.raises(BadInput, match="takes a word"):
        place_transformers(preset("sd15"), value)
