"""Asynchronous halving by non-dominated rank, against brute force and cases worked by hand."""

import math
import random
from collections.abc import Sequence

import pytest

from archlab.study.pruning.successive_halving import NOISE_MARGIN, Standing, decide, pooled_noise

Point = tuple[float, ...]


def standings(points: Sequence[Point]) -> list[Standing]:
    return [Standing(number, point) for number, point in enumerate(points)]


def random_points(seed: int, count: int, objectives: int) -> list[Point]:
    """Some on a coarse grid, so that ties and duplicates are among them."""
    source = random.Random(seed)
    coarse = [tuple(source.randrange(4) * 0.25 for _ in range(objectives)) for _ in range(count // 2)]
    return coarse + [tuple(source.random() for _ in range(objectives)) for _ in range(count - count // 2)]


def peel(points: list[Point]) -> list[int]:
    """Ranks by the definition: take away what nothing dominates, again and again."""
    ranks, left = [0] * len(points), set(range(len(points)))

    def dominates(a: Point, b: Point) -> bool:
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    rank = 0
    while left:
        front = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        for index in front:
            ranks[index] = rank
        left, rank = left - front, rank + 1
    return ranks


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_the_rank_is_the_number_of_fronts_before(seed: int, objectives: int) -> None:
    everyone = standings(random_points(seed, 20, objectives))
    expected = peel([one.point for one in everyone])
    for one, rank in zip(everyone, expected, strict=True):
        others = [other for other in everyone if other is not one]
        assert decide(one, others, reduction=3).rank == rank


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_only_the_set_of_others_and_the_order_in_each_objective_matter(seed: int, objectives: int) -> None:
    mine, *others = standings(random_points(seed, 17, objectives))
    verdict = decide(mine, others, reduction=3)
    assert decide(mine, random.Random(seed).sample(others, len(others)), reduction=3) == verdict
    units = [1024.0, 0.5, 8.0][:objectives]

    def in_units(one: Standing) -> Standing:
        return one._replace(point=tuple(x * unit for x, unit in zip(one.point, units, strict=True)))

    assert decide(in_units(mine), list(map(in_units, others)), reduction=3) == verdict


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_a_better_trial_is_never_judged_worse(seed: int, objectives: int) -> None:
    source = random.Random(seed)
    mine, *others = standings(random_points(seed, 17, objectives))
    before = decide(mine, others, reduction=3)
    for _ in range(20):
        improved = tuple(x - source.choice([0.0, 0.05, 0.3]) for x in mine.point)
        after = decide(mine._replace(point=improved), others, reduction=3)
        assert after.rank <= before.rank
        assert after.goes_on >= before.goes_on


def test_with_one_objective_it_is_successive_halving() -> None:
    others = standings([(float(loss),) for loss in range(1, 9)])  # with mine 9 at the rung: 3 go on
    assert [decide(Standing(9, (loss,)), others, reduction=3).goes_on for loss in (0.5, 2.5, 3.5, 9)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("reduction", [2, 3, 4])
def test_about_one_in_the_reduction_factor_is_promoted(reduction: int) -> None:
    arrived = standings(random_points(0, 400, 2)[200:] + random_points(1, 400, 2)[200:])
    verdicts = [decide(one, arrived[:number], reduction=reduction) for number, one in enumerate(arrived)]
    assert verdicts[0].goes_on
    share = sum(verdict.goes_on for verdict in verdicts) / len(verdicts)
    assert share == pytest.approx(1 / reduction, abs=0.06)


def test_within_a_front_the_largest_hypervolume_contributions_are_promoted() -> None:
    # All on one front; of six, two go on. Scaled to 0..1 with the reference at 2, (0.1, 0.9) adds 0.1 × 0.1 and
    # (0.5, 0.5) adds 0.4 × 0.4; the ends (0, 1) and (1, 0) add more: 0.1 × 1 = 0.1 is less than 0.16, 0.4 × 1 is not.
    front = standings([(0.0, 1.0), (0.1, 0.9), (0.5, 0.5), (0.9, 0.1), (1.0, 0.0), (0.95, 0.05)])
    by_hand = {(0.5, 0.5): True, (0.1, 0.9): False, (0.95, 0.05): False}
    for point, goes_on in by_hand.items():
        mine = next(one for one in front if one.point == point)
        assert decide(mine, [one for one in front if one is not mine], reduction=3).goes_on == goes_on


@pytest.mark.parametrize(("behind", "goes_on"), [(0.9, True), (1.1, False)])
@pytest.mark.parametrize("quality", [0, 1])
def test_within_noise_of_a_promotion_is_not_pruned(behind: float, goes_on: bool, quality: int) -> None:
    # Nine at the rung with the same cost: three go on. The third best has 0.30; a trial at 0.30 + behind × margin is
    # fourth, and is as good as the third once its quality is better by the margin.
    noise = 0.01
    losses = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.3 + behind * NOISE_MARGIN * noise]
    *others, mine = standings([(loss, 5.0) if quality == 0 else (5.0, loss) for loss in losses])
    verdict = decide(mine, others, reduction=3, noise=noise, quality=quality)
    assert verdict.goes_on == goes_on
    assert ("within noise" in verdict.why) == goes_on
    assert not decide(mine, others, reduction=3).goes_on


def test_noise_is_pooled_over_trials() -> None:
    # By hand: deviations ±1 and (−2, 0, 2); squares 2 + 8 over 1 + 2 degrees of freedom.
    assert pooled_noise([[1.0, 3.0], [5.0], [0.0, 2.0, 4.0]]) == pytest.approx(math.sqrt(10 / 3))
    assert pooled_noise([[1.0], []]) is None
    assert pooled_noise([]) is None
