"""What an export is made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archlab.architecture import UNetSpec
from archlab.evaluation import Evaluation


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
    knobs: dict[str, Any]
    evaluation: Evaluation
    spec: UNetSpec
    proxy: UNetSpec
    files: Path
