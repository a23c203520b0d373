"""How a control is trained."""

from typing import Annotated

from pydantic import Field

from archlab.compute import ComputeSettings
from archlab.data.conditions import EDGES
from archlab.model.controls.facts import Kind
from archlab.model.settings import RunSettings
from archlab.section import Amount, Count, NamedOrPath


class ControlSettings(RunSettings, ComputeSettings):
    """What is learnt, from which pictures and for how long; the model itself learns nothing."""

    kind: Kind = "adapter"
    condition: Annotated[str, NamedOrPath((EDGES,))] = EDGES  # or a folder of pictures with the names of the images
    edge_sigma: Amount = 1.0  # of edges: pixels that are smoothed over before they are looked for
    data: str | None = None  # absent: what the model was trained on
    steps: Count = 1000  # of the optimiser
    batch_size: Count = 32
    learning_rate: Amount = 5e-4
    prompt_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    finetune_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # a trained network has its last normaliser
