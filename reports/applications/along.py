"""Models that draw along the same edges from the same noise, a row each, as one picture.

python reports/applications/along.py --out along.png models/shapes:50 models/shapes:50:controls/net models/shapes-8:8:…
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from archlab.data.edges import edges
from archlab.data.load import load_data
from archlab.model import load_model
from archlab.model.controls.load import control_of

_IMAGES, _SIGMA, _ZOOM = 12, 0.5, 5


def main() -> None:
    """Read the rows, draw them under the images and their edges, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="MODEL:STEPS[:CONTROL]")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    data = load_data("shapes", 16)
    chosen = data.validation[torch.arange(_IMAGES) * len(data.validation) // _IMAGES]
    prompts, marks = [data.captions[index] for index in chosen.tolist()], edges(data.images[chosen], _SIGMA)
    pictures = marks.expand(-1, 3, -1, -1)
    rows = [data.images[chosen], 2 * pictures - 1, *(_drawn(row, prompts, pictures) for row in given.rows)]
    whole = torch.cat([torch.cat([F.pad(image, (1, 1, 1, 1)) for image in row], dim=2) for row in rows], dim=1)
    levels = ((whole / 2 + 0.5).clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
    image = Image.fromarray(levels)
    image.resize((_ZOOM * image.width, _ZOOM * image.height), Image.Resampling.NEAREST).save(given.out)


def _drawn(row: str, prompts: list[str], pictures: Tensor) -> Tensor:
    name, steps, *folders = row.split(":")
    model = load_model(name)
    control = control_of(Path(folders[0]), model, pictures) if folders else None
    return model.draw(prompts, range(len(prompts)), steps=int(steps), control=control)


if __name__ == "__main__":
    main()
