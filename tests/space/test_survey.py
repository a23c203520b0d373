from collections.abc import Callable
from statistics import median

import pytest

from archlab.architecture import preset
from archlab.cost import count
from archlab.errors import BadInput
from archlab.space import Survey, survey
from archlab.study.definition import StudyDefinition
from archlab.study.limits import cost_limits

Write = Callable[..., StudyDefinition]


def surveyed(definition: StudyDefinition) -> Survey:
    return survey(definition.space, cost_limits(definition))


KNOBS = "{conv: [standard, separable], ff_ratio: [0, 4, 8], width: [0.5, 1]}"


def test_small_space_is_counted_whole(write: Write) -> None:
    definition = write(KNOBS)
    result = surveyed(definition)
    costs = [count(definition.space.spec(values)) for values in definition.space.all_values()]
    assert (result.size, result.counted, result.exhaustive, result.within) == (12, 12, True, 12)
    params, macs = sorted(cost.params_m for cost in costs), sorted(cost.macs_g for cost in costs)
    assert result.params_m == (params[0], median(params), params[-1])
    assert result.macs_g == (macs[0], median(macs), macs[-1])
    assert result.params_m.high == count(preset("tiny")).params_m
    assert result.limits == {}


def test_limits_are_numbers_or_shares_of_the_baseline(write: Write) -> None:
    definition = write(KNOBS, constraints={"params_m": {"max": 15}, "macs_g": {"max": "60%"}})
    baseline = count(preset("tiny"))
    assert cost_limits(definition) == {"params_m": 15.0, "macs_g": pytest.approx(0.6 * baseline.macs_g)}
    costs = [count(definition.space.spec(values)) for values in definition.space.all_values()]
    within = [cost for cost in costs if cost.params_m <= 15 and cost.macs_g <= 0.6 * baseline.macs_g]
    assert surveyed(definition).within == len(within)
    assert 0 < len(within) < len(costs)


def test_share_of_the_whole_baseline_lets_the_baseline_pass(write: Write) -> None:
    definition = write("{conv: [standard]}", constraints={"params_m": {"max": "100%"}, "macs_g": {"max": "100 %"}})
    assert surveyed(definition).within == 1


def test_limit_that_nothing_can_meet_is_named_with_the_smallest(write: Write) -> None:
    definition = write(KNOBS, constraints={"params_m": {"max": 0.5}})
    smallest = min(count(definition.space.spec(values)).params_m for values in definition.space.all_values())
    with pytest.raises(BadInput) as caught:
        surveyed(definition)
    message = str(caught.value)
    assert message.startswith("constraints.params_m: nothing can meet 0.5")
    assert f"{smallest:.4g}" in message


def test_share_that_nothing_can_meet_is_named(write: Write) -> None:
    with pytest.raises(BadInput, match=r"^constraints\.macs_g: nothing can meet"):
        surveyed(write(KNOBS, constraints={"macs_g": {"max": "1%"}}))


def test_limits_that_nothing_meets_together(write: Write) -> None:
    # Wide without a feed-forward has few MACs in stage 0; narrow has few params: each limit alone can be met.
    knobs = "{channels: [[16, 16, 256], [128, 64, 16]]}"
    definition = write(knobs)
    first, second = (count(definition.space.spec(values)) for values in definition.space.all_values())
    assert first.params > second.params
    assert first.macs < second.macs
    limits = {"params_m": {"max": second.params_m * 1.01}, "macs_g": {"max": first.macs_g * 1.01}}
    with pytest.raises(BadInput, match=r"nothing in this space meets params_m ≤ .* and macs_g ≤ .* together"):
        surveyed(write(knobs, constraints=limits))


def test_large_space_is_sampled_and_its_ends_are_found(write: Write) -> None:
    knobs = """{width: {low: 0.25, high: 1, step: 0.05}, ff_ratio: {low: 0, high: 8, step: 0.5},
                res_blocks: [2/3, 1/2, 1/1], conv: [standard, separable], kv_sharing: [none, self, all]}"""
    definition = write(knobs)
    result = surveyed(definition)
    assert result.size == 16 * 17 * 3 * 2 * 3
    assert not result.exhaustive
    assert result.counted < result.size
    smallest = {"width": 0.25, "ff_ratio": 0, "res_blocks": "1/1", "conv": "separable", "kv_sharing": "all"}
    cost = count(definition.space.spec(smallest))
    assert result.params_m.low == pytest.approx(cost.params_m)
    assert result.macs_g.low == pytest.approx(cost.macs_g)
    assert surveyed(definition) == result


def test_needle_in_a_large_space_is_found(write: Write) -> None:
    knobs = "{width: {low: 0.1, high: 1, step: 0.005}, ff_ratio: {low: 0, high: 8, step: 0.5}, conv: [separable]}"
    definition = write(knobs)
    needle = count(definition.space.spec({"width": 0.1, "ff_ratio": 0, "conv": "separable"}))
    limit = {"params_m": {"max": needle.params_m * 1.0001}, "macs_g": {"max": needle.macs_g * 1.0001}}
    assert surveyed(write(knobs, constraints=limit)).within >= 1


def test_requirements_hold_for_all_that_is_counted(write: Write) -> None:
    definition = write(KNOBS, require=["width == 1", "ff_ratio == 8"])
    result = surveyed(definition)
    assert (result.size, result.counted) == (2, 2)
    assert result.params_m.high == count(preset("tiny")).params_m
