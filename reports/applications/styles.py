"""Styles made of archlab's own data by scikit-image: ``python styles.py thick digits 200 styles/thick``."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import color, morphology, transform

from archlab.data.load import load_data

Pixels = np.ndarray  # [H, W] or [H, W, 3] in 0 … 1


def thick(image: Pixels) -> Pixels:
    """Every stroke a pixel wider on two sides."""
    return morphology.dilation(image, np.ones((2, 2)))


def inverted(image: Pixels) -> Pixels:
    """White paper, black ink."""
    return 1 - image


def slanted(image: Pixels) -> Pixels:
    """Sheared by half a pixel a row, about the middle."""
    middle = (image.shape[0] - 1) / 2
    shear = transform.AffineTransform(matrix=np.array([[1, 0.5, -0.5 * middle], [0, 1, 0], [0, 0, 1]]))
    return transform.warp(image, shear, order=1)


def paper(image: Pixels) -> Pixels:
    """Light and dark changed for each other, hues kept (Y of YUV becomes 1 - Y): dark ground becomes paper."""
    yuv = color.rgb2yuv(image)
    yuv[..., 0] = 1 - yuv[..., 0]
    return np.clip(color.yuv2rgb(yuv), 0, 1)


STYLES: dict[str, Callable[[Pixels], Pixels]] = {each.__name__: each for each in (thick, inverted, slanted, paper)}
SIDES = {"digits": 8, "shapes": 16}


def styled(source: str, style: str) -> np.ndarray:
    """All images of the source in the style: [N, H, W, C] in 0 … 1."""
    images = load_data(source, SIDES[source]).images.permute(0, 2, 3, 1).numpy() / 2 + 0.5
    return np.stack([STYLES[style](image.squeeze()).reshape(image.shape) for image in images])


def main() -> None:
    """Write so many of the images that train, each with its caption."""
    style, source, count, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    data, images = load_data(source, SIDES[source]), styled(source, style)
    folder.mkdir(parents=True)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "text"])
        for index in data.train[:count].tolist():
            pixels = np.rint(images[index].squeeze() * 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{index:05}.png")
            rows.writerow([f"{index:05}.png", data.captions[index]])


if __name__ == "__main__":
    main()
