"""The block latency table: pieces of UNets measured once, whole UNets estimated from them."""

from archlab.latency.table.estimate import Estimate, estimate

__all__ = ["Estimate", "estimate"]
