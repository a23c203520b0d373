"""Latencies that block latency tables tell of architectures, before any device has measured them."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from archlab.architecture import UNetSpec
from archlab.errors import BadInput, RunFailed
from archlab.evaluation import AnyLatency, Estimate, Evaluation
from archlab.latency.measurement import Measurement
from archlab.space import SearchSpace
from archlab.study.surrogate.candidates import Architecture

EstimateTarget = Callable[[UNetSpec, Measurement], Estimate]

_MOST_KNOWN = 20_000


class Estimates:
    """Of the study's devices that have a table; every architecture is asked for once."""

    def __init__(self, space: SearchSpace, devices: Sequence[Measurement], estimate: EstimateTarget) -> None:
        self.space, self.estimate = space, estimate
        self.devices = [where for where in devices if where.table is not None]
        self._known: dict[str, Evaluation] = {}

    def of(self, architecture: Architecture) -> Evaluation | None:
        """What tables tell of it; None where the study has none. A device whose table does not know it is left out."""
        if not self.devices:
            return None
        if architecture.id not in self._known:
            if len(self._known) == _MOST_KNOWN:
                self._known.clear()
            self._known[architecture.id] = self._estimated(architecture)
        return self._known[architecture.id]

    def _estimated(self, architecture: Architecture) -> Evaluation:
        spec, latency = self.space.spec(architecture.values), dict[str, AnyLatency]()
        for where in self.devices:
            with suppress(BadInput, RunFailed):
                latency[where.name] = self.estimate(spec, where)
        cost = architecture.cost
        return Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, latency=latency)
