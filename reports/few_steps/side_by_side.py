"""Models at the same prompts and noise, a row each:  python side_by_side.py PNG MODEL[@STEPS] …"""

import sys
from pathlib import Path

import torch

from archlab.data.load import load_data
from archlab.data.pictures import grid
from archlab.model import load_model

COLUMNS = 10


def main() -> None:
    """Draw each model, in its own steps or in those after the ``@``."""
    path, *names = sys.argv[1:]
    images, captions = [], []
    for name in names:
        folder, _, steps = name.partition("@")
        model = load_model(folder)
        prompts, _ = load_data(model.facts.data, model.facts.image_size).prompts_to_draw(COLUMNS)
        count = int(steps or model.facts.steps)
        passes = model.passes(count)
        images.append(model.draw(prompts[:COLUMNS], range(COLUMNS), steps=count))
        captions += [f"{Path(folder).name}: steps {count}, passes {passes}"] * COLUMNS
    grid(torch.cat(images), captions, Path(path))


if __name__ == "__main__":
    main()
