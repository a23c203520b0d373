"""A thousand studies with known effects: intervals hold the truth as often as they say, and chance is not news."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archlab.analysis.effects import plan_effects
from archlab.analysis.effects.arms import ArmResult, ArmResults
from archlab.analysis.effects.intervals import paired_difference
from archlab.analysis.effects.search import search_effects
from archlab.study.definition import StudyDefinition
from tests.analysis.effects.conftest import Write
from tests.analysis.effects.studies import KNOBS, changed

REPEATS = 1000
MONTE_CARLO = 3.5 * np.sqrt(0.95 * 0.05 / REPEATS)  # ± 0.024: by chance alone one of 2,000 checks fails

ALONE = {"kv_sharing": -0.02, "attention_normalizer": 0.03, "ff_ratio": 0.0, "ff_activation": 0.0, "conv": 0.01}
TOGETHER = {("kv_sharing", "conv"): 0.016}
NOISE, SEED_NOISE = 0.01, 0.05


def truth(knobs: set[str]) -> float:
    """Quality of an architecture with these changes, without noise."""
    return 0.2 + sum(ALONE[name] for name in knobs) + sum(v for pair, v in TOGETHER.items() if knobs.issuperset(pair))


def expected(strategy: str) -> dict[str, float]:
    """True effects by change, by hand; the pair's interaction counts where both are made, on average half of it."""
    values = {f"{name} = {values[1]}": ALONE[name] for name, values in KNOBS.items()}
    both = TOGETHER["kv_sharing", "conv"]
    if strategy == "ladder":  # in the order of KNOBS: conv is last and meets the changed kv_sharing
        return ALONE | {"conv": ALONE["conv"] + both}
    if strategy == "leave_one_out":
        values |= {"the full change": sum(ALONE.values()) + both}
        return values | {f"{name} = {KNOBS[name][1]}": ALONE[name] + both for name in ("kv_sharing", "conv")}
    if strategy == "factorial":
        values |= {f"{name} = {KNOBS[name][1]}": ALONE[name] + both / 2 for name in ("kv_sharing", "conv")}
        pairs = [(a, b) for i, a in enumerate(KNOBS) for b in list(KNOBS)[i + 1 :]]
        return values | {f"{a} × {b}": TOGETHER.get((a, b), 0.0) / 2 for a, b in pairs}
    return values


def simulate(definition: StudyDefinition, seeds: int) -> tuple[dict[str, list[bool]], list[bool]]:
    """For every effect whether its interval held the truth; for every study whether a true zero was called an effect
    by the intervals that hold together."""
    draw, plan = np.random.default_rng(5), definition.plan()
    clean = {arm.name: truth(changed(definition, arm.values)) for arm in plan.arms}
    wanted = expected(definition.settings.strategy)
    held: dict[str, list[bool]] = {change: [] for change in wanted}
    false: list[bool] = []
    for _ in range(REPEATS):
        shared = SEED_NOISE * draw.standard_normal(seeds)
        noise = NOISE * draw.standard_normal((len(clean), seeds))
        scores = ArmResults(
            of={
                name: ArmResult(by_seed=dict(enumerate((value + shared + own).tolist())))
                for (name, value), own in zip(clean.items(), noise, strict=True)
            }
        )
        found = plan_effects(definition.space, definition.design, plan, scores)
        assert {effect.change for effect in found} == set(wanted)
        ends = {
            e.change: (e.quality.interval(0.95), e.quality.interval(1 - 0.05 / len(found))) for e in found if e.quality
        }
        for change, (alone, _) in ends.items():
            held[change].append(alone.low <= wanted[change] <= alone.high)
        zeros = [together for change, (_, together) in ends.items() if wanted[change] == 0]
        false.append(any(low > 0 or high < 0 for low, high in zeros))
    return held, false


@pytest.mark.parametrize(
    ("strategy", "search", "seeds"),
    [
        ("ablate", {}, 5),
        ("leave_one_out", {}, 3),
        ("ladder", {}, 5),
        ("factorial", {}, 1),
        ("factorial", {"resolution": 5}, 3),
    ],
)
def test_intervals_of_a_plan_hold_the_truth_as_often_as_they_say(
    strategy: str, search: Mapping[str, Any], seeds: int, write: Write
) -> None:
    held, false = simulate(write(strategy, search), seeds)
    for change, hits in held.items():
        assert np.mean(hits) == pytest.approx(0.95, abs=MONTE_CARLO), change
    assert np.mean(false) < 0.05 + MONTE_CARLO


@pytest.mark.parametrize(
    ("fraction", "how", "most"),
    [
        ("any 20 of the 32", "matched pairs", 0.95),
        ("the half without pairs", "main-effects fit, HC3 errors, 16 trials", 0.99),  # HC3 is cautious at few trials
    ],
)
def test_prices_of_a_search_hold_the_truth_as_often_as_they_say(
    fraction: str, how: str, most: float, write: Write
) -> None:
    definition = write("random")
    repeats, draw = 100, np.random.default_rng(6)
    codes = np.array(np.meshgrid(*[[0, 1]] * len(KNOBS))).reshape(len(KNOBS), -1).T
    hits = []
    for _ in range(repeats):
        chosen = codes[draw.permutation(32)[:20]] if "any" in fraction else codes[codes.sum(axis=1) % 2 == 0]
        quality = 0.2 + chosen @ np.array(list(ALONE.values())) + NOISE * draw.standard_normal(len(chosen))
        labels = {name: [KNOBS[name][code] for code in column] for name, column in zip(KNOBS, chosen.T, strict=True)}
        trials = pd.DataFrame(
            {"status": "complete", "architecture": range(len(chosen)), "quality": quality, "macs_g": 1.0, **labels}
        )
        study: Any = SimpleNamespace(
            trials=trials,
            knobs=list(KNOBS),
            objectives=["quality", "macs_g"],
            baseline={name: values[0] for name, values in KNOBS.items()},
            baseline_spec=definition.space.baseline,
            space=definition.space,
            proxy=definition.settings.proxy,
            measure=(),
        )
        for effect in search_effects(study, "t"):
            assert effect.quality is not None
            assert effect.how.startswith(how)
            low, high = effect.quality.interval(0.95)
            hits.append(low <= ALONE[effect.knob] <= high)
    margin = 3.5 * np.sqrt(0.95 * 0.05 / len(hits))
    assert 0.95 - margin < np.mean(hits) < most + margin


@pytest.mark.parametrize(
    ("method", "seeds", "least"), [("percentile", 20, 0.9), ("bca", 20, 0.9), ("percentile", 4, 0.7)]
)
def test_a_bootstrap_over_few_seeds_is_narrower_than_it_says(method: Any, seeds: int, least: float) -> None:
    """Which is why it is not the default: at four seeds it misses more than twice as often as it says."""
    draw = np.random.default_rng(8)
    hits = []
    for _ in range(200):
        low, high = paired_difference(draw.standard_normal(seeds).tolist(), method).interval(0.95)
        hits.append(low <= 0 <= high)
    assert least < np.mean(hits) < (0.98 if seeds >= 20 else 0.92)
