"""What models draw of prompts, as folders of pictures."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

import archlab
from archlab.data.pictures import grid
from archlab.errors import BadInput
from archlab.files import read_text, writable_folder
from archlab.model.control import Control
from archlab.model.model import Model, picture
from archlab.model.pictures import GRID_FILE, Asked, Drawn, PictureFacts, file_stems, write_picture
from archlab.progress import ShareDone, silent_share


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a text file, one a line; blank lines are none.

    Raises:
        BadInput: it cannot be read, or there is none.
    """
    lines = [line.strip() for line in read_text(path).split("\n")]
    if prompts := tuple(line for line in lines if line):
        return prompts
    raise BadInput(f"{path}: an empty prompts file; write one prompt a line")


def draw_pictures(
    model: Model,
    name: str,
    asked: Asked,
    folder: Path,
    progress: ShareDone = silent_share,
    *,
    control: Control | None = None,
) -> Drawn:
    """Draw, and write each picture as soon as it is there: ``<prompt>-seed<k>.png``; at the end all as `GRID_FILE`.

    Args:
        name: what the model is called.
        control: along which all are drawn.

    Raises:
        BadInput: the folder cannot be written, or the model does not draw with these steps, guidance or seeds.
    """
    pairs = [(prompt, seed) for prompt in dict.fromkeys(asked.prompts) for seed in dict.fromkeys(asked.seeds)]
    drawn = _drawn(model, name, asked, folder, pairs)
    model.check([prompt for prompt, _ in pairs], [seed for _, seed in pairs], drawn.steps, drawn.guidance)
    writable_folder(folder)
    images: list[Tensor] = []
    while len(images) < len(pairs):
        batch = pairs[len(images) : len(images) + model.at_once]

        def report(share: float, before: int = len(images), count: int = len(batch)) -> None:
            progress((before + share * count) / len(pairs))

        texts, seeds = zip(*batch, strict=True)
        made = model.draw(texts, seeds, steps=drawn.steps, guidance=drawn.guidance, control=control, progress=report)
        for (prompt, seed), image in zip(batch, made, strict=True):
            facts = _facts(model, drawn, prompt, seed, control)
            write_picture(picture(image), facts, drawn.pictures[prompt, seed])
        images.extend(made)
    grid(torch.stack(images), [prompt for prompt, _ in pairs], folder / GRID_FILE)
    return drawn


def _drawn(model: Model, name: str, asked: Asked, folder: Path, pairs: Sequence[tuple[str, int]]) -> Drawn:
    """What will have been drawn of the pairs of prompt and seed."""
    stems, spec = file_stems([prompt for prompt, _ in pairs]), model.spec
    return Drawn(
        model=name,
        architecture=spec.id,
        folder=folder,
        pictures={(prompt, seed): folder / f"{stems[prompt]}-seed{seed}.png" for prompt, seed in pairs},
        steps=model.facts.steps if asked.steps is None else asked.steps,
        guidance=model.facts.guidance if asked.guidance is None else asked.guidance,
        passes=model.passes(asked.steps, asked.guidance),
        scheduler=type(model.scheduler).__name__,
        latent=(spec.in_channels, spec.sample_size, spec.sample_size),
        image_size=model.facts.image_size,
        remarks=tuple(model.text.remarks(list(stems))),
    )


def _facts(model: Model, drawn: Drawn, prompt: str, seed: int, control: Control | None) -> PictureFacts:
    return PictureFacts(
        prompt=prompt,
        seed=seed,
        steps=drawn.steps,
        passes=drawn.passes,
        guidance=drawn.guidance,
        scheduler=drawn.scheduler,
        model=drawn.model,
        architecture=drawn.architecture,
        archlab=archlab.__version__,
        control="" if control is None else f"{control.name}, scale {control.scale:g}",
        remarks=tuple(model.text.remarks([prompt])),
    )
