"""What is known about a study's baseline, as it stands in ``baseline.json``."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from archlab.evaluation.evaluation import latency_cells
from archlab.evaluation.fact import STRICT, Whole
from archlab.evaluation.latency import AnyLatency
from archlab.evaluation.record import Label


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The baseline, measured once: shares in limits, charts and the noise of rungs refer to it.

    Attributes:
        knobs: labels of its own knob values; None where no single one describes it.
        latency: by the name of the device.
        limits: every hard limit of the study by column, shares of the baseline resolved.
        noise: standard deviation of quality between seeds, by optimiser steps of a rung; None where it was not asked
            for, empty where it is not known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    knobs: dict[str, Label]
    params_m: float
    macs_g: float
    latency: dict[str, AnyLatency] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    noise: dict[Whole, float] | None = None

    def row(self) -> dict[str, Any]:
        """It as a row of the table: knob values, cost, and latency where measured."""
        return {**self.knobs, "params_m": self.params_m, "macs_g": self.macs_g, **latency_cells(self.latency)}
