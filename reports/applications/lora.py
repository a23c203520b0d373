"""How LoRAs of styles do: ``python lora.py digits slanted 200 models/knee models/knee+loras/slanted …``

Each model with its LoRA, if one stands behind a plus, draws prompts of the data with the seeds 0, 1, 2 …, in its own
number of steps, or in as many as stand behind an @. Judged are the style, by a statistic in closed form, and FID and
adherence twice: to the data as they are, and to the data in the style, each by a reader trained on such images. CSV.
"""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import torch
from styles import SIDES, STYLES, styled
from torch import Tensor

from archlab.cache import content_hash
from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.model import Model, load_model
from archlab.scores.images import ImageScorer
from archlab.scores.settings import JudgeSettings
from archlab.unet.lora import read_lora


def slant(images: Tensor) -> Tensor:
    """Pixels by which ink moves to the right a row upwards: -μ₁₁ / μ₀₂ of each image's brightness: [N]."""
    ink = (images / 2 + 0.5).clamp(0, 1).mean(dim=1)
    rows, columns = torch.meshgrid(*(torch.arange(float(side)) for side in ink.shape[1:]), indexing="ij")
    mass = ink.sum(dim=(1, 2)).clamp(min=1e-6)
    row, column = ((ink * axis).sum(dim=(1, 2)) / mass for axis in (rows, columns))
    away = rows - row[:, None, None], columns - column[:, None, None]
    return -(ink * away[0] * away[1]).sum(dim=(1, 2)) / (ink * away[0] ** 2).sum(dim=(1, 2)).clamp(min=1e-6)


def ground(images: Tensor) -> Tensor:
    """Mean brightness of the pixels at the edge: -1 … 1: [N]."""
    inner = torch.ones(images.shape[2:], dtype=torch.bool)
    inner[1:-1, 1:-1] = False
    return images.clamp(-1, 1)[..., inner].mean(dim=(1, 2))


def ink(images: Tensor) -> Tensor:
    """Mean brightness: -1 … 1: [N]."""
    return images.clamp(-1, 1).mean(dim=(1, 2, 3))


STATISTICS = {"slanted": slant, "thick": ink, "inverted": ground, "paper": ground}


def in_style(source: str, style: str) -> CaptionedImages:
    """The data with every image in the style."""
    data = load_data(source, SIDES[source])
    images = torch.from_numpy(styled(source, style)).float().permute(0, 3, 1, 2) * 2 - 1
    return replace(data, name=f"{source}-{style}", images=images, id=content_hash(data.id, style))


def named(text: str) -> tuple[Model, int]:
    """``models/knee+loras/slanted@8``: the model with its LoRA, and the number of steps."""
    text, _, steps = text.partition("@")
    name, _, lora = text.partition("+")
    model = load_model(name)
    if lora:
        model = model.with_loras([(read_lora(Path(lora), model.spec), 1.0)])
    return model, int(steps or model.facts.steps)


def main() -> None:
    """A row for each model."""
    source, style, samples = sys.argv[1], sys.argv[2], int(sys.argv[3])
    assert style in STYLES
    plain, aimed = load_data(source, SIDES[source]), in_style(source, style)
    judges = {name: ImageScorer(data, samples, JudgeSettings()) for name, data in (("plain", plain), (style, aimed))}
    statistic, rows = STATISTICS[style], csv.writer(sys.stdout)
    rows.writerow(["model", "steps", "statistic", "value", "value_error", "judge", "fid", "fid_error", "adherence",
                   "adherence_error"])  # fmt: skip
    for (name, judge), data in zip(judges.items(), (plain, aimed), strict=True):
        real, reads = statistic(data.images[data.validation]), f"{judge.reader_accuracy:.3f}"
        rows.writerow([f"{data.name}, real images", "", statistic.__name__, *_shown(real), name, "", "", reads, ""])
    for text in sys.argv[4:]:
        model, steps = named(text)
        drawn = model.draw(judges["plain"].prompts, range(samples), steps=steps)
        for name, judge in judges.items():
            scores = judge.scores(drawn, ["fid", "adherence"])
            judged = [f"{number:.4g}" for score in scores.values() for number in (score.value, score.error)]
            rows.writerow([text.partition("@")[0], steps, statistic.__name__, *_shown(statistic(drawn)), name, *judged])
        sys.stdout.flush()


def _shown(values: Tensor) -> list[str]:
    return [f"{values.mean():.3f}", f"{values.std() / len(values) ** 0.5:.3f}"]


if __name__ == "__main__":
    main()
