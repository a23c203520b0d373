"""Cut scikit-image's photographs into captioned tiles, for tables of other data than archlab's own.

Tiles do not overlap, so that validation sees nothing of what trains; of every photograph there are at most so many.
The photographs are of two sets that have none in common.
``python benchmarks/tables/photographs.py benchmarks/photographs``
``python benchmarks/tables/photographs.py benchmarks/pictures --set pictures``
"""

import argparse
import csv
import random
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data
from skimage.color import gray2rgb

SETS = {
    "photographs": {
        "an astronaut": data.astronaut,
        "a cup of coffee": data.coffee,
        "a cat": data.chelsea,
        "a rocket": data.rocket,
        "the inside of an eye": data.retina,
        "galaxies": data.hubble_deep_field,
        "cells under a microscope": data.immunohistochemistry,
        "bricks": data.brick,
        "grass": data.grass,
        "gravel": data.gravel,
    },
    "pictures": {
        "a man with a camera": data.camera,
        "a printed page": data.page,
        "handwriting": data.text,
        "coins": data.coins,
        "the moon": data.moon,
        "a clock": data.clock,
        "a motorcycle": lambda: data.stereo_motorcycle()[0],
        "a cell": data.cell,
    },
}
SIDE, MOST = 32, 256


def main() -> None:
    """Write the tiles and their metadata."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", choices=SETS, default="photographs")
    wanted = parser.parse_args()
    folder: Path = wanted.folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (caption, load) in enumerate(SETS[wanted.set].items()):
        pixels = load()
        pixels = gray2rgb(pixels) if pixels.ndim == 2 else pixels
        height, width, _ = pixels.shape
        places = [(y, x) for y in range(0, height - SIDE + 1, SIDE) for x in range(0, width - SIDE + 1, SIDE)]
        for y, x in random.Random(0).sample(places, min(MOST, len(places))):
            name = f"{number}_{y}_{x}.png"
            Image.fromarray(np.ascontiguousarray(pixels[y : y + SIDE, x : x + SIDE])).save(folder / name)
            rows.append((name, caption))
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("file_name", "text"), *rows])
    print(f"{len(rows)} tiles in {folder}")


if __name__ == "__main__":
    main()
