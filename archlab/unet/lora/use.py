"""A LoRA as users write it: ``loras/thick:0.8``."""

import math
from pathlib import Path
from typing import NamedTuple

from archlab.errors import BadInput, shown


class LoraUse(NamedTuple):
    """A LoRA and how much of it."""

    path: Path
    weight: float


def lora_use(text: str) -> LoraUse:
    """``FILE`` or ``FILE:0.8``.

    Raises:
        BadInput: the weight is no finite number.
    """
    path, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():
        return LoraUse(Path(text), 1.0)
    try:
        use = LoraUse(Path(path), float(weight))
    except ValueError:
        use = LoraUse(Path(path), math.nan)
    if not math.isfinite(use.weight):
        raise BadInput(f"--lora {shown(text)}: must be FILE or FILE:WEIGHT, like loras/thick:0.8")
    return use
