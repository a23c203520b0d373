"""What a model came to at one number of steps: a row of the table that papers have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archlab.evaluation.latency import AnyLatency
from archlab.evaluation.measures import column_suffixes
from archlab.evaluation.score import Score


@dataclass(frozen=True, kw_only=True)
class ModelScores:
    """Scores of a model's images with so many steps, and what such an image costs.

    Attributes:
        model, architecture: its name, and the content hash of its spec.
        passes: of the UNet for an image: with guidance two a step.
        scores: by name: those of images, and ``val_loss`` where it can be had.
        latency: of one pass, by device; empty where none was measured.
        params_m, macs_g: of the UNet; MACs of one pass.
    """

    model: str
    architecture: str
    steps: int
    guidance: float
    passes: int
    scores: Mapping[str, Score]
    latency: Mapping[str, AnyLatency]
    params_m: float
    macs_g: float

    @property
    def image_ms(self) -> dict[str, float]:
        """Time of the UNet for an image, by device: passes × latency of a pass."""
        return {device: self.passes * latency.median_ms for device, latency in self.latency.items()}

    def row(self) -> dict[str, Any]:
        """Columns of a table. A loss whose label differs from its name has the label as its column: losses of different
        objectives are never in one column."""
        cells: dict[str, Any] = {"model": self.model, "steps": self.steps, "passes": self.passes}
        for name, score in self.scores.items():
            column = score.label if name == "val_loss" else name
            cells |= {column: score.value, f"{column}_error": score.error}
        for device, suffix in column_suffixes(self.latency).items():
            latency = self.latency[device]
            cells |= {
                f"latency_ms{suffix}": latency.median_ms,
                f"image_ms{suffix}": self.image_ms[device],
                f"latency_noisy{suffix}": latency.noisy,
            }
        label = {"fid_label": self.scores["fid"].label} if "fid" in self.scores else {}
        costs = {"params_m": self.params_m, "macs_g": self.macs_g}
        return {**cells, **costs, "guidance": self.guidance, "architecture": self.architecture, **label}
