"""Which channels of a trained layer the channels of another width come from."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Selection:
    """One axis of the child's weights as channels of the parent.

    Attributes:
        origins: int64 [after]: the parent's channel that each channel is taken from.
        unread: bool [after]: copies, which nothing reads yet. What produces channels produces them too, so that the
            statistics of a normalisation stay; what consumes channels has zero weights for them.
        before: the parent's number of channels.
    """

    origins: Tensor
    unread: Tensor
    before: int

    @cached_property
    def read(self) -> Tensor:
        """int64: places in the child of the channels that are no copies."""
        return (~self.unread).nonzero().flatten()

    @cached_property
    def kept(self) -> Tensor:
        """int64: the parent's channels that the child reads."""
        return self.origins[~self.unread]

    @cached_property
    def dropped(self) -> Tensor:
        """int64: the parent's channels that the child does without."""
        gone = torch.ones(self.before, dtype=torch.bool)
        gone[self.kept] = False
        return gone.nonzero().flatten()

    def __add__(self, other: "Selection") -> "Selection":
        """Both axes, concatenated."""
        before = self.before + other.before
        origins = torch.cat([self.origins, other.origins + self.before]).clamp(max=before - 1)
        return Selection(origins, torch.cat([self.unread, other.unread]), before)

    def within(self, size: int) -> "Selection":
        """The same choice of whole groups of ``size`` channels."""
        origins = self.origins[:, None] * size + torch.arange(size)
        return Selection(origins.flatten(), self.unread.repeat_interleave(size), self.before * size)


def by_position(before: int, after: int) -> Selection:
    """The first channels are the first; those beyond are copies."""
    places = torch.arange(after)
    return Selection(places % before, places >= before, before)


def unrelated(before: int, after: int) -> Selection:
    """None of the channels is one of the parent's: its own are dropped, and nothing reads those that are there."""
    return Selection(torch.zeros(after, dtype=torch.int64), torch.ones(after, dtype=torch.bool), before)


def choose(importance: Tensor, after: int, groups: tuple[int, int] = (1, 1)) -> Selection:
    """The ``after`` most important of the channels, in their order; all and copies of the first where there are more.

    GroupNorm's groups stay together as far as can be: whole groups where their size stays, otherwise as many
    channels from each. Copies stand beside their originals, so that every channel being doubled changes no statistic.

    Args:
        importance: [before], not negative.
        groups: of a GroupNorm over these channels, before and after.
    """
    before = len(importance)
    if after == before:
        return by_position(before, after)
    size = before // groups[0]
    if after == groups[1] * size:
        return _pick(importance.reshape(1, groups[0], size).sum(2), groups[1]).within(size)
    segments = math.gcd(*groups)
    return _pick(importance.reshape(segments, -1), after // segments)


def _pick(importance: Tensor, after: int) -> Selection:
    """The same number of channels from each segment: [segments, before] → segments × after."""
    segments, before = importance.shape
    ranked = importance.argsort(dim=1, descending=True, stable=True)
    rounds = -(-after // before)
    origins = ranked.repeat(1, rounds)[:, :after].sort(dim=1).values
    unread = torch.zeros_like(origins, dtype=torch.bool)
    unread[:, 1:] = origins[:, 1:] == origins[:, :-1]
    offsets = torch.arange(segments)[:, None] * before
    return Selection((origins + offsets).flatten(), unread.flatten(), segments * before)
