"""A space builds a spec in one pass over shared structures: the same as turning one knob after the other."""

import random
from pathlib import Path

import pytest

from archlab.architecture import preset
from archlab.cost import count
from archlab.space import SearchSpace, load_space
from archlab.space.attributes import change_block

SPACES = Path(__file__).parents[2] / "search_spaces"


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return load_space(SPACES / "mobilediffusion.yaml")


def test_equal_to_one_knob_after_the_other(space: SearchSpace) -> None:
    source = random.Random(0)
    for _ in range(500):
        values = space.sample_values(source)
        expected = space.baseline
        for name, value in values.items():
            expected = space.knobs[name].knob.apply(expected, value)
        built = space.spec(values)
        assert built == expected
        assert repr(built) == repr(expected)
        assert count(built) == count(expected)


def test_the_content_hash_stays() -> None:
    assert preset("sd15").id == "a8548412d28b"


def test_what_is_remembered_is_bounded(space: SearchSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archlab.space.space.MOST_STRUCTURES", 3)
    small = load_space(SPACES / "mobilediffusion.yaml")
    assert [small.sample(seed) for seed in range(100)] == [space.sample(seed) for seed in range(100)]
    assert len(small._structures) <= 3
    assert change_block.cache_info().maxsize is not None
