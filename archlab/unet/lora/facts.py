"""What is known of a LoRA beside its tensors: ``archlab`` in its file's header."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from archlab.evaluation.fact import STRICT, Whole


@dataclass(frozen=True, kw_only=True)
class LoraFacts:
    """Where a LoRA comes from.

    Attributes:
        base: the model that it was trained on, by name.
        spec: that one's architecture, as JSON has it; with it names of layers are known without the model.
        alpha: of its training. The tensors B are scaled by it already; absent for one that was imported.
        data, data_id: what it was trained on, as `archlab.data.load.load_data` reads it, and its content hash.
        settings: of its training, as YAML has them.
        steps, seconds: of the optimiser, and in these steps alone.
        val_loss: of the averaged weights in the end.
        archlab: the version that made it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    base: str
    spec: dict[str, Any]
    alpha: float | None = None
    data: str | None = None
    data_id: str | None = None
    settings: dict[str, Any] | None = None
    steps: Whole | None = None
    seconds: float | None = None
    val_loss: float | None = None
    archlab: str
