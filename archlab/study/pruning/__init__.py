"""Which trials are stopped at a rung, before their proxies are trained to the end."""

from archlab.study.pruning.pruner import Pruner
from archlab.study.pruning.successive_halving import Decision, Standing, decide, pooled_noise

__all__ = ["Decision", "Pruner", "Standing", "decide", "pooled_noise"]
