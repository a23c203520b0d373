import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from archlab.architecture import preset
from archlab.errors import BadInput
from archlab.space import KNOBS, SearchSpace
from archlab.study.definition import StudyDefinition

Write = Callable[..., SearchSpace]


@pytest.fixture
def write(write: Callable[..., StudyDefinition]) -> Write:
    return lambda *arguments, **sections: write(*arguments, **sections).space


NESTED = """
    transformers: [sd, none]
    self_attention: {choices: [all, inner], when: {transformers: sd}}
    kv_sharing: {choices: [none, self, all], when: {self_attention: all}}
    ff_ratio: {low: 4, high: 8, step: 2, when: {transformers: [sd]}}
    conv: [standard, separable]
    res_blocks: {choices: [2/3, 1/1], when: {conv: standard, transformers: [sd, none]}}
"""

SPACES: dict[str, tuple[str, list[str]]] = {
    "free": ("{conv: [standard, separable], ff_ratio: [4, 6, 8], res_blocks: [2/3, 1/1]}", []),
    "one value": ("{conv: [separable]}", []),
    "nested conditions": (NESTED, []),
    "a requirement": (NESTED, ["ff_ratio > 4 or conv == 'separable'"]),
    "requirements on inactive knobs": (NESTED, ["kv_sharing != 'none'", "not (res_blocks == '2/3')"]),
    "a list": ("{channels: [[64, 128, 256], [32, 64, 128]], width: [0.5, 1]}", ["channels != [32, 64, 128]"]),
    "arithmetic": ("{ff_ratio: {low: 1, high: 9, step: 2}, width: [0.25, 0.5, 1]}", ["2 * ff_ratio * width <= 9"]),
    "membership": ("{ff_ratio: [4, 5, 6, 7, 8], conv: [standard, separable]}", ["ff_ratio in [4, 8] if 1 else 0"]),
    "two conditions": (
        "{conv: [standard, separable], ff_ratio: [4, 8],"
        " kv_sharing: {choices: [self, all], when: {conv: separable, ff_ratio: 4}}}",
        [],
    ),
}


def in_effect(space: SearchSpace, drawn: dict[str, Any]) -> dict[str, Any]:
    """Written anew: drop knobs whose conditions fail until nothing changes."""
    values = dict(drawn)
    while True:
        kept = {
            name: value
            for name, value in values.items()
            if all(other in values and values[other] in wanted for other, wanted in space.knobs[name].when.items())
        }
        if kept == values:
            return values
        values = kept


def brute_force(space: SearchSpace, require: list[str]) -> list[dict[str, Any]]:
    """Every distinct permitted combination; the requirements are judged by Python itself."""
    found: list[dict[str, Any]] = []
    for drawn in product(*(domain.values for domain in space.knobs.values())):
        values = in_effect(space, dict(zip(space.knobs, drawn, strict=True)))
        known = {name: values.get(name, KNOBS[name].read(space.baseline)) for name in space.knobs}
        known = {name: list(v) if isinstance(v, tuple) else v for name, v in known.items()}
        if values not in found and all(eval(text, {}, known) for text in require):
            found.append(values)
    return found


@pytest.mark.parametrize(
    ("knobs", "require", "is_there"),
    [
        (NESTED.replace("2/3", "1/2"), [], True),
        (NESTED, [], False),
        (NESTED.replace("2/3", "1/2"), ["conv == 'separable'"], False),
    ],
    ids=["there", "a value is not", "a requirement excludes it"],
)
def test_the_baseline_is_found_where_it_is(knobs: str, require: list[str], is_there: bool, write: Write) -> None:
    space = write(knobs, require=require)
    found = space.find_baseline()
    assert (found is not None) == is_there == (space.baseline in map(space.spec, space.all_values()))
    assert found is None or space.spec(found) == space.baseline


@pytest.mark.parametrize("name", SPACES)
def test_size_is_what_enumeration_finds(name: str, write: Write) -> None:
    knobs, require = SPACES[name]
    space = write(knobs, require=require)
    expected = brute_force(space, require)
    assert space.size == len(expected) > 0
    listed = list(space.all_values())
    assert len(listed) == len(expected)
    assert all(values in expected for values in listed)


@pytest.mark.parametrize("name", SPACES)
def test_samples_are_in_the_space(name: str, write: Write) -> None:
    knobs, require = SPACES[name]
    space = write(knobs, require=require)
    expected = brute_force(space, require)
    source = random.Random(0)
    drawn = [space.sample_values(source) for _ in range(40 * len(expected))]
    assert all(values in expected for values in drawn)
    assert all(values in drawn for values in expected)
    ids = {space.spec(values).id for values in expected}
    assert {space.sample(seed).id for seed in range(20)} <= ids


def test_the_same_seed_gives_the_same_sample(write: Write) -> None:
    space, again = write(NESTED), write(NESTED)
    assert [space.sample(seed) for seed in range(20)] == [again.sample(seed) for seed in range(20)]
    assert len({space.sample(seed).id for seed in range(20)}) > 5


def test_no_values_are_the_baseline(write: Write) -> None:
    space = write(NESTED)
    assert space.spec({}) == space.baseline == preset("tiny")


@pytest.mark.parametrize("baseline", ["tiny", "sd15", "sdxl"])
def test_the_baselines_own_values_are_the_baseline(baseline: str, write: Write) -> None:
    spec = preset(baseline)
    space = write(str({name: [_plain(knob.read(spec))] for name, knob in KNOBS.items()}), baseline=baseline)
    own = {name: domain.values[0] for name, domain in space.knobs.items()}
    assert space.spec(own) == spec
    assert space.spec(space.baseline_values) == spec


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_values_may_be_given_by_label(write: Write) -> None:
    space = write("{transformers: [sd, [0, 1, 1, 0]], channels: [[32, 64, 128]], self_attention: [[1, 0, 0, 1]]}")
    expected = space.spec({"transformers": [0, 1, 1, 0], "channels": (32, 64, 128), "self_attention": [1, 0, 0, 1]})
    assert space.spec({"transformers": "0 1 1 0", "channels": "32 64 128", "self_attention": "1 0 0 1"}) == expected
    assert expected != space.baseline


def test_knobs_are_applied_in_the_registrys_order(write: Write) -> None:
    space = write("{conv: [separable], ff_ratio: [4], transformers: [low_res], width: [0.5], res_blocks: [1/1]}")
    assert list(space.knobs) == ["res_blocks", "width", "transformers", "ff_ratio", "conv"]
    values = {"conv": "separable", "ff_ratio": 4, "transformers": "low_res", "width": 0.5, "res_blocks": "1/1"}
    expected = preset("tiny")
    for name in ("res_blocks", "width", "transformers", "ff_ratio", "conv"):
        expected = KNOBS[name].apply(expected, values[name])
    assert space.spec(values) == expected
    assert space.spec(dict(reversed(values.items()))) == expected
    # Blocks and transformers that structure added have the attributes too.
    assert {t.ff_ratio for block in expected.stages[2].down for t in block.transformers} == {4}


def test_inactive_knob_has_no_effect(write: Write) -> None:
    space = write(NESTED)
    values = {"conv": "separable", "res_blocks": "1/1"}
    assert space.spec(values) == space.spec({"conv": "separable"})
    assert space.in_effect(values) == {"conv": "separable"}
    deep = {"transformers": "none", "self_attention": "all", "kv_sharing": "all"}
    assert space.in_effect(deep) == {"transformers": "none"}
    assert space.in_effect({"conv": "standard", "res_blocks": "1/1"}) == {"conv": "standard"}
    both = {"transformers": "none", "conv": "standard", "res_blocks": "1/1"}
    assert set(space.in_effect(both)) == set(both)


def test_condition_on_a_list_value(write: Write) -> None:
    space = write(
        "{transformers: [sd, [0, 1, 1, 0]], conv: {choices: [separable], when: {transformers: [0, 1, 1, 0]}}}"
    )
    assert space.size == 2
    assert space.in_effect({"transformers": "sd", "conv": "separable"}) == {"transformers": "sd"}


def test_unknown_knob_or_value(write: Write) -> None:
    space = write(NESTED)
    with pytest.raises(BadInput, match="'kv_shearing' is not a knob of this space; did you mean 'kv_sharing'"):
        space.spec({"kv_shearing": "self"})
    with pytest.raises(BadInput, match="conv has no value 'seperable'; did you mean 'separable'"):
        space.spec({"conv": "seperable"})
    with pytest.raises(BadInput, match="ff_ratio has no value 5"):
        space.spec({"ff_ratio": 5})


def test_range_has_both_ends(write: Write) -> None:
    space = write("{ff_ratio: {low: 0.1, high: 0.7, step: 0.1}, width: {low: 1, high: 3}}")
    assert space.knobs["ff_ratio"].values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert space.knobs["width"].values == (1, 2, 3)
    assert space.knobs["ff_ratio"].ordered
    assert not write("{ff_ratio: [4, 8]}").knobs["ff_ratio"].ordered
    assert write("{ff_ratio: {low: 4, high: 4}}").knobs["ff_ratio"].values == (4,)


def test_target_changes_the_baseline(write: Write) -> None:
    target = {"sample_size": 16, "context": {"length": 12, "dim": 32}}
    baseline = write("{conv: [standard]}", target=target).baseline
    assert (baseline.sample_size, baseline.context_length, baseline.context_dim) == (16, 12, 32)
    assert write("{conv: [standard]}", target={}).baseline == preset("tiny")


def test_size_of_a_large_space_needs_no_enumeration(write: Write) -> None:
    factors = "{low: 0.1, high: 100, step: 0.1}"
    space = write(f"{{width: {factors}, ff_ratio: {factors}, conv: [standard, separable]}}")
    assert space.size == 2_000_000
