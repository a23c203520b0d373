"""How far a model draws along a control's pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from archlab.data.conditions import EDGES
from archlab.data.edges import edges
from archlab.data.load import load_data
from archlab.errors import BadInput
from archlab.model.control import Control
from archlab.model.controls.facts import read_facts
from archlab.model.controls.load import control_of
from archlab.model.model import Model
from archlab.progress import Progress, silent
from archlab.scores.edge_agreement import edge_agreement


@dataclass(frozen=True, kw_only=True)
class ControlScore:
    """A row of the table.

    Attributes:
        control: by name; empty for the model alone.
        passes: of the UNet, for an image.
        edge_f1, edge_iou: of the drawn edges and the given ones, see `archlab.scores.edge_agreement`.
        images: that were drawn.
    """

    model: str
    control: str
    steps: int
    passes: int
    edge_f1: float
    edge_iou: float
    images: int


def score_control(
    model: Model, folder: Path, steps: Sequence[int | None], images: int, scale: float, progress: Progress = silent
) -> Iterator[ControlScore]:
    """With the control and without, for each number of steps: of the same prompts, noise and pictures, which are edges
    of images that the model was not trained on.

    Args:
        steps: None for the model's own.

    Raises:
        BadInput: the control is none of edges, or the model's data are not there.
    """
    facts = read_facts(folder)
    if facts is None or facts.condition != EDGES:
        raise BadInput(f"{folder}: only a control that archlab trained on edges is scored by them")
    source = facts.settings["data"] or model.facts.data
    if source is None:
        raise BadInput(f"{model.name}: what it was trained on is not known, so there are no edges to draw along")
    data, sigma = load_data(source, model.facts.image_size), facts.settings["edge_sigma"]
    chosen = _spread(data.validation, images)
    prompts, given = [data.captions[index] for index in chosen.tolist()], edges(data.images[chosen], sigma)
    control = control_of(folder, model, given.expand(-1, 3, -1, -1), scale)
    for count in steps:
        for used in (None, control):
            yield _score(model, used, count, prompts, given, sigma, progress)


def _score(
    model: Model,
    control: Control | None,
    steps: int | None,
    prompts: Sequence[str],
    given: Tensor,
    sigma: float,
    progress: Progress,
) -> ControlScore:
    stage = f"draw in {model.facts.steps if steps is None else steps} steps"
    drawn = model.draw(
        prompts,
        range(len(prompts)),
        steps=steps,
        control=control,
        progress=lambda share: progress(stage, share),
    )
    agreement = edge_agreement(drawn, given, sigma)
    return ControlScore(
        model=model.name,
        control="" if control is None else control.name,
        steps=model.facts.steps if steps is None else steps,
        passes=model.passes(steps),
        edge_f1=agreement.f1,
        edge_iou=agreement.iou,
        images=len(prompts),
    )


def _spread(indices: Tensor, count: int) -> Tensor:
    """So many of them, spread over all; at most all."""
    count = min(count, len(indices))
    return indices[torch.arange(count) * len(indices) // count]
