"""The block latency table: pieces of UNets measured once, whole UNets estimated from them."""

from archlab.latency.table.estimate import estimate

__all__ = ["estimate"]
