"""What a data set is like: counts, sizes, caption lengths, what was left out, and a picture of some of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from archlab.data.captioned import CaptionedImages
from archlab.data.left_out import places_in_words
from archlab.data.pictures import MOST_TILES, tiles

_LARGEST_TILE = 256  # pixels a side: more than a picture shows


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A data set in numbers.

    Attributes:
        captions: how many of them are distinct.
        words_min, words_median, words_max: of a caption.
        sizes, modes: how many files were of each, the most frequent first.
        enlarged: how many are smaller than asked for.
        attributes: what is known of what an image shows, each with its number of values.
        left_out: how many were, by the reason, the most frequent first.
        places: of the first of them, by the reason.
    """

    name: str
    kind: str
    id: str
    images: int
    train: int
    validation: int
    captions: int
    words_min: int
    words_median: float
    words_max: int
    sizes: Mapping[str, int]
    modes: Mapping[str, int]
    enlarged: int
    attributes: Mapping[str, int]
    left_out: Mapping[str, int]
    places: Mapping[str, str]


def inspect(data: CaptionedImages) -> Inspection:
    """Count what is there."""
    words = [len(caption.split()) for caption in data.captions]
    return Inspection(
        name=data.name,
        kind=data.origin.kind,
        id=data.id,
        images=len(data.captions),
        train=len(data.train),
        validation=len(data.validation),
        captions=len(data.prompts),
        words_min=min(words),
        words_median=median(words),
        words_max=max(words),
        sizes=_by_frequency(data.origin.sizes),
        modes=_by_frequency(data.origin.modes),
        enlarged=data.origin.enlarged,
        attributes={name: len(values) for name, values in data.attributes.items()},
        left_out={reason: omission.count for reason, omission in data.origin.left_out.items()},
        places={reason: places_in_words(omission) for reason, omission in data.origin.left_out.items()},
    )


def draw_overview(data: CaptionedImages, path: Path) -> None:
    """Write a PNG of up to 32 images spread over the data set, each over its caption."""
    count = min(len(data.captions), MOST_TILES)
    chosen = [index * len(data.captions) // count for index in range(count)]
    tiles(data.images[chosen], [data.captions[index] for index in chosen], path, _LARGEST_TILE)


def _by_frequency(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
