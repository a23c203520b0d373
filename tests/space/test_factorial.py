"""Two-level designs against their definition and the published numbers of runs."""

from itertools import combinations

import numpy as np
import pytest

from archlab.errors import BadInput
from archlab.space.factorial import two_level_design


@pytest.mark.parametrize("factors", [1, 2, 5])
def test_a_full_design_has_every_combination_once_and_begins_with_the_baseline(factors: int) -> None:
    runs = two_level_design(factors, "full")
    assert len(set(runs)) == len(runs) == 2**factors
    assert set(runs[0]) == {-1}


# Runs of the smallest regular fractions: NIST/SEMATECH e-Handbook, 5.3.3.4.7.
SMALLEST = {
    3: {3: 4, 5: 8, 6: 8, 7: 8, 8: 16, 9: 16, 10: 16, 11: 16},
    4: {4: 8, 6: 16, 7: 16, 8: 16, 9: 32, 10: 32, 11: 32},
    5: {5: 16, 6: 32, 7: 64, 8: 64, 9: 128, 10: 128, 11: 128},
}


@pytest.mark.parametrize(
    ("resolution", "factors", "runs"), [(r, k, runs) for r, sizes in SMALLEST.items() for k, runs in sizes.items()]
)
def test_fractions_have_their_resolution_and_the_fewest_runs(resolution: int, factors: int, runs: int) -> None:
    design = np.array(two_level_design(factors, resolution))  # type: ignore[arg-type]  # one of 3, 4, 5
    assert design.shape == (runs, factors)
    assert (design[0] == -1).all()
    for size in range(1, resolution):
        for chosen in combinations(range(factors), size):
            assert design[:, chosen].prod(axis=1).sum() == 0, f"{chosen} is a word shorter than {resolution}"


@pytest.mark.parametrize(
    ("factors", "resolution", "message"),
    [
        (3, 4, "3 changed knobs have no fraction of resolution 4; take resolution: full"),
        (4, 5, "no fraction of resolution 5"),
        (11, "full", "11 changed knobs make 2,048 arms, more than 1,024; take a fraction, such as resolution: 4"),
    ],
)
def test_designs_that_cannot_be(factors: int, resolution: object, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        two_level_design(factors, resolution)  # type: ignore[arg-type]  # one of full, 3, 4, 5
