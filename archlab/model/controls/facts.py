"""What is known of a control beside its network: ``control.json``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from archlab.errors import BadInput
from archlab.evaluation.fact import STRICT, Whole, read_fact

FACTS_FILE = "control.json"

Kind = Literal["controlnet", "adapter"]


@dataclass(frozen=True, kw_only=True)
class ControlFacts:
    """How a control came about, and for which UNets it is.

    Attributes:
        model: that it was trained with, by name.
        way_down, way_down_in_words: of that model's UNet; see `archlab.architecture.way_down`.
        factor: side of a picture by that of a latent.
        image_size: side of a picture, in pixels.
        condition: what pictures show: ``edges``, or the folder that they were in.
        settings: of the training, as YAML has them.
        steps, seconds: of the optimiser, and in these steps alone.
        archlab: the version that made it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    kind: Kind
    model: str
    way_down: str
    way_down_in_words: str
    factor: Whole
    image_size: Whole
    condition: str
    settings: dict[str, Any]
    steps: Whole
    seconds: float
    archlab: str


def read_facts(folder: Path) -> ControlFacts | None:
    """Of the control in a folder; None for one of diffusers', of which nothing is known.

    Raises:
        BadInput: there is no such folder, or somebody damaged them.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; archlab control train makes one")
    path = folder / FACTS_FILE
    return read_fact(ControlFacts, path) if path.is_file() else None
