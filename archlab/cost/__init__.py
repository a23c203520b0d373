"""Params, MACs and memory of a spec by formula. No torch."""

from archlab.cost.count import Cost, PartCost, count

__all__ = ["Cost", "PartCost", "count"]
