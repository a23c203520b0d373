"""Plans: which arms, in which order, and what becomes of those that cannot be."""

from itertools import product
from typing import Any

import pytest

from archlab.cost import count
from archlab.space import label
from archlab.space.plans import arm_costs, full_change
from archlab.study.definition import StudyDefinition
from tests.space.conftest import Write

KNOBS = "{conv: [standard, separable], ff_ratio: [8, 6, 4], kv_sharing: [none, self]}"


def labels(definition: StudyDefinition) -> dict[str, dict[str, Any]]:
    return {arm.name: {knob: label(value) for knob, value in arm.values.items()} for arm in definition.plan().arms}


@pytest.fixture
def lay(write: Write) -> Any:
    """A space of these knobs with this strategy; ``search`` by keyword."""
    return lambda strategy, knobs=KNOBS, require=(), **search: write(
        knobs, search={"strategy": strategy, **search}, require=list(require), measure=[], objectives=["quality"]
    )


BASELINE = {"conv": "standard", "ff_ratio": 8, "kv_sharing": "none"}


@pytest.mark.parametrize("strategy", ["tpe", "nsga2", "nsga3", "random"])
def test_a_search_has_no_plan(strategy: str, lay: Any) -> None:
    assert lay(strategy).plan().arms == []


def test_a_grid_is_every_combination(lay: Any) -> None:
    definition = lay("grid", require=["not (conv == 'separable' and ff_ratio == 4)"])
    arms = labels(definition)
    every = set(product(["standard", "separable"], [8, 6, 4], ["none", "self"]))
    found = [(values["conv"], values["ff_ratio"], values["kv_sharing"]) for values in arms.values()]
    assert sorted(found) == sorted(c for c in every if c[:2] != ("separable", 4))
    assert arms["baseline"] == BASELINE
    assert arms["kv_sharing = self, ff_ratio = 4"] == BASELINE | {"ff_ratio": 4, "kv_sharing": "self"}


def test_ablate_changes_one_knob_at_a_time(lay: Any) -> None:
    definition = lay("ablate")
    assert labels(definition) == {
        "baseline": BASELINE,
        "kv_sharing = self": BASELINE | {"kv_sharing": "self"},
        "ff_ratio = 6": BASELINE | {"ff_ratio": 6},
        "ff_ratio = 4": BASELINE | {"ff_ratio": 4},
        "conv = separable": BASELINE | {"conv": "separable"},
    }
    pairs = [(pair.change, pair.before.name, pair.after.name) for pair in definition.plan().contrasts]
    assert pairs == [(name, "baseline", name) for name in list(labels(definition))[1:]]
    assert definition.space.spec(definition.plan().arms[0].values) == definition.space.baseline


def test_leave_one_out_takes_each_change_back(lay: Any) -> None:
    definition = lay("leave_one_out", change={"ff_ratio": 6})
    full = {"conv": "separable", "ff_ratio": 6, "kv_sharing": "self"}
    assert labels(definition) == {"baseline": BASELINE, "the full change": full} | {
        f"without {knob}": full | {knob: BASELINE[knob]} for knob in ("kv_sharing", "ff_ratio", "conv")
    }
    pairs = [(pair.change, pair.before.name, pair.after.name) for pair in definition.plan().contrasts]
    assert pairs == [
        ("the full change", "baseline", "the full change"),
        ("kv_sharing = self", "without kv_sharing", "the full change"),
        ("ff_ratio = 6", "without ff_ratio", "the full change"),
        ("conv = separable", "without conv", "the full change"),
    ]


def test_factorial_is_every_combination_of_baseline_and_change(lay: Any) -> None:
    arms = labels(lay("factorial"))
    assert len(arms) == 8
    assert arms["baseline"] == BASELINE
    assert arms["kv_sharing + conv"] == BASELINE | {"kv_sharing": "self", "conv": "separable"}
    assert arms["the full change"] == {"conv": "separable", "ff_ratio": 4, "kv_sharing": "self"}
    half = labels(lay("factorial", resolution=3))
    assert len(half) == 4
    assert half.items() <= arms.items()


def test_a_knob_that_keeps_the_baselines_value_is_no_part_of_the_change(lay: Any) -> None:
    assert full_change(lay("factorial").space, {"conv": "standard", "ff_ratio": 6}) == {
        "ff_ratio": 6,
        "kv_sharing": "self",
    }


def test_arms_that_cannot_be_are_left_out_with_the_reason(lay: Any) -> None:
    knobs = """{conv: [standard, separable], self_attention: [all, none],
                res_blocks: {choices: [1/2, 1/1], when: {conv: separable}}}"""
    definition = lay("ablate", knobs, require=["self_attention == 'all'"])
    dropped = {arm.name: arm.why for arm in definition.plan().dropped}
    assert dropped["res_blocks = 1/1"] == "res_blocks is in effect only where conv is separable"
    assert dropped["self_attention = none"] == "require excludes it"
    assert "conv = separable" in labels(definition)


def test_an_arm_that_builds_a_known_network_is_left_out(lay: Any) -> None:
    definition = lay("leave_one_out", "{self_attention: [all, none], kv_sharing: [none, self]}")
    assert {arm.name: arm.why for arm in definition.plan().dropped} == {
        "without kv_sharing": "it builds the same network as the full change"
    }


def test_costs_of_arms_are_shares_of_the_baselines(lay: Any) -> None:
    definition = lay("ablate")
    rows = {row.arm: row for row in arm_costs(definition.space, definition.plan().arms)}
    assert rows["baseline"].params_change is None
    own, baseline = count(definition.space.spec({"conv": "separable"})), count(definition.space.baseline)
    assert rows["conv = separable"].params_m == own.params_m
    assert rows["conv = separable"].macs_change == pytest.approx((own.macs - baseline.macs) / baseline.macs)
