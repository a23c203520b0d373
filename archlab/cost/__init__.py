"""Params, MACs and memory of a spec by formula. No torch."""

from archlab.cost.cost import Cost, KindCost, PartCost
from archlab.cost.count import count

__all__ = ["Cost", "KindCost", "PartCost", "count"]
