"""What results are compared with that must not change unnoticed: see `archlab.versions`."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from archlab import versions

TOLERANCE = 2e-4  # of float32 sums: processors add in another order


def summary(*results: Tensor) -> list[float]:
    """Two numbers, to which each result counts alike: the mean root mean square, and the mean after other signs, which
    knows an element by its place."""
    sizes, places = [], []
    for result in results:
        values = result.detach().double().flatten()
        sizes.append(values.square().mean().sqrt())
        places.append((values * torch.cos(torch.arange(len(values), dtype=torch.float64))).mean())
    return [round(torch.stack(numbers).mean().item(), 6) for numbers in (sizes, places)]


def assert_unchanged(part: str, found: object, recorded: Mapping[int, object], tolerance: float = TOLERANCE) -> None:
    """The result is what was recorded for the current version of that part of the code.

    Args:
        part: its name in `archlab.versions`.
        found: a list of numbers, or anything else, which must be equal.
        recorded: by version.
        tolerance: relative, and absolute, of numbers.
    """
    version = getattr(versions, part)
    assert version in recorded, f"record in this test what versions.{part} = {version} computes: {found}"
    expected = recorded[version]
    if isinstance(found, list):
        expected = pytest.approx(expected, rel=tolerance, abs=tolerance)
    assert found == expected, (
        f"the same input gives another result than before: if that is meant, raise {part} in archlab/versions.py, so "
        f"that no cached result of the old code is taken for one of the new, and record in this test: {found}"
    )
