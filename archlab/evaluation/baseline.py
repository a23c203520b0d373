"""What is known about a study's baseline, as it stands in ``baseline.json``."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from archlab.evaluation.evaluation import Evaluation
from archlab.evaluation.fact import STRICT, Whole
from archlab.evaluation.latency import AnyLatency
from archlab.evaluation.proxy import ProxyResult
from archlab.evaluation.record import Label


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The baseline, measured and trained once, whatever limits say: shares in limits, charts, prices and the noise of
    rungs refer to it.

    Attributes:
        knobs: labels of its own knob values; None where no single one describes it.
        latency: by the name of the device.
        proxy: what its training came to; None where it failed, and in a plan of which an arm has it.
        limits: every hard limit of the study by column, shares of the baseline resolved.
        noise: standard deviation of quality between seeds, by optimiser steps of a rung; None where it was not asked
            for, empty where it is not known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    knobs: dict[str, Label]
    params_m: float
    macs_g: float
    latency: dict[str, AnyLatency] = field(default_factory=dict)
    proxy: ProxyResult | None = None
    limits: dict[str, float] = field(default_factory=dict)
    noise: dict[Whole, float] | None = None

    @property
    def evaluation(self) -> Evaluation:
        """It as a trial is evaluated, whatever the limits say."""
        return Evaluation(
            status="complete", params_m=self.params_m, macs_g=self.macs_g, latency=self.latency, proxy=self.proxy
        )

    def row(self) -> dict[str, Any]:
        """It as a row of the table: knob values, cost, and latency and scores where known."""
        return {**self.knobs, **self.evaluation.cells()}
