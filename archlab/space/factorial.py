"""Two-level factorial designs, full or fractional."""

from itertools import combinations
from string import ascii_lowercase
from typing import Literal

from archlab.errors import BadInput

Resolution = Literal["full", 3, 4, 5]

_MOST_RUNS = 1024


def two_level_design(factors: int, resolution: Resolution) -> list[tuple[int, ...]]:
    """The runs of a design, each a level for every factor, -1 (low) or 1 (high); in the first run all are low.

    At resolution 3 main effects are free of each other, at 4 of two-way interactions, too, and at 5 those are free of
    each other as well (Box, Hunter and Hunter, Statistics for Experimenters, ch. 6).

    Raises:
        BadInput: no fraction of that resolution is smaller than the full design, or there are too many runs.
    """
    from pyDOE3 import fracfact

    columns = [1 << letter for letter in range(factors)] if resolution == "full" else _columns(factors, resolution)
    runs = 2 ** sum(column.bit_count() == 1 for column in columns)
    if resolution != "full" and runs == 2**factors:
        raise BadInput(f"{factors} changed knobs have no fraction of resolution {resolution}; take resolution: full")
    if runs > _MOST_RUNS:
        advice = "a fraction, such as resolution: 4" if resolution == "full" else "a lower resolution, or fewer knobs"
        raise BadInput(f"{factors} changed knobs make {runs:,} arms, more than {_MOST_RUNS:,}; take {advice}")
    design = fracfact(" ".join(_word(column) for column in columns)).astype(int)
    return [tuple(int(level) for level in run) for run in -design * design[0]]


def _columns(factors: int, resolution: int) -> list[int]:
    """Every factor as a product of base factors, which are bits; as few base factors as possible.

    A product is taken if every word of the defining relation keeps ``resolution`` letters: if it is no product of
    ``resolution`` - 2 others. (pyDOE3's `fracfact_by_res` does not look at words that two products make together.)
    """
    letters = 0
    while True:
        letters += 1
        columns = [1 << letter for letter in range(letters)]
        taken = _products(columns, resolution - 2)
        for candidate in range(1 << letters):
            if len(columns) < factors and candidate not in taken:
                columns.append(candidate)
                taken = _products(columns, resolution - 2)
        if len(columns) >= factors:
            return columns


def _products(columns: list[int], most: int) -> set[int]:
    """What up to ``most`` columns make; a letter that is there twice cancels."""
    found = {0}
    for size in range(1, most + 1):
        for chosen in combinations(columns, size):
            product = 0
            for column in chosen:
                product ^= column
            found.add(product)
    return found


def _word(column: int) -> str:
    return "".join(letter for place, letter in enumerate(ascii_lowercase) if column >> place & 1)
