"""What an export is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archlab.architecture import UNetSpec
from archlab.evaluation import Evaluation
from archlab.evaluation.record import Label


@dataclass(frozen=True, kw_only=True)
class Winner:
    """What is exported, and how it was judged.

    Attributes:
        why: the sentence that chose it.
        knobs: its knob values.
        evaluation: what was measured of it.
        proxy: the architecture of the trained proxy.
        files: the trial's folder, with ``checkpoint.safetensors`` and ``samples.png``.
    """

    study: str
    trial: int
    why: str
    knobs: Mapping[str, Label]
    evaluation: Evaluation
    spec: UNetSpec
    proxy: UNetSpec
    files: Path
