"""Where labels go so that none covers another, a point or a line."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share any area."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def within(self, other: "Box") -> bool:
        """Whether it lies in the other."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


class Label(NamedTuple):
    """Where a label goes; ``leader`` where it is so far from its point that a line should lead to it."""

    box: Box
    leader: bool


_DIRECTIONS = ((1, 1), (-1, -1), (-1, 1), (1, -1), (0, 1), (0, -1), (1, 0), (-1, 0))
_DISTANCES = (8.0, 16.0, 28.0, 44.0, 64.0)
_NEAR = 16.0  # up to here a label needs no leader
_LEADER_STEPS = 12


def place_labels(
    anchors: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    bounds: Box,
    scale: float = 1.0,
) -> list[Label | None]:
    """A free box for each label, near its anchor, the first labels first; None where there is none.

    Leaders cross no label either.

    Args:
        anchors: the points that are labelled [N, 2], in pixels.
        sizes: width and height of the labels [N, 2].
        scale: of the distances tried, for figures with more pixels to the inch.
    """
    taken, labels = np.array(obstacles, dtype=float).reshape(-1, 4), np.empty((0, 4))
    placed: list[Label | None] = []
    for anchor, size in zip(anchors, sizes, strict=True):
        found = _first_free(anchor, size, taken, labels, bounds, scale)
        placed.append(found)
        if found:
            line = _leader(anchor, found.box) if found.leader else []
            taken = np.vstack([taken, [found.box, *line]])
            labels = np.vstack([labels, [found.box]])
    return placed


def _first_free(
    anchor: tuple[float, float],
    size: tuple[float, float],
    taken: np.ndarray,
    labels: np.ndarray,
    bounds: Box,
    scale: float,
) -> Label | None:
    for distance in _DISTANCES:
        for direction in _DIRECTIONS:
            box = _box(anchor, size, direction, distance * scale)
            line = _leader(anchor, box) if distance > _NEAR else []
            if (
                box.within(bounds)
                and not _overlaps_any(box, taken)
                and not any(_overlaps_any(part, labels) for part in line)
            ):
                return Label(box, bool(line))
    return None


def _overlaps_any(box: Box, others: np.ndarray) -> bool:
    """`Box.overlaps` for many others [N, 4]."""
    left, bottom, right, top = others.T
    return bool(((box.left < right) & (left < box.right) & (box.bottom < top) & (bottom < box.top)).any())


def _leader(anchor: tuple[float, float], box: Box) -> list[Box]:
    """Thin boxes along the line from the anchor to the label's edge."""
    ends = (min(max(anchor[0], box.left), box.right), min(max(anchor[1], box.bottom), box.top))
    steps = (k / _LEADER_STEPS for k in range(_LEADER_STEPS))
    places = [(anchor[0] + t * (ends[0] - anchor[0]), anchor[1] + t * (ends[1] - anchor[1])) for t in steps]
    reach = max(abs(ends[0] - anchor[0]), abs(ends[1] - anchor[1])) / _LEADER_STEPS / 2 + 1
    return [Box(x - reach, y - reach, x + reach, y + reach) for x, y in places]


def _box(anchor: tuple[float, float], size: tuple[float, float], direction: tuple[int, int], distance: float) -> Box:
    reach = distance if 0 in direction else distance * 0.71
    left = anchor[0] + direction[0] * reach + (direction[0] - 1) / 2 * size[0]
    bottom = anchor[1] + direction[1] * reach + (direction[1] - 1) / 2 * size[1]
    return Box(left, bottom, left + size[0], bottom + size[1])
