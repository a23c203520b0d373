"""Captioned images, resized, with their split: what a proxy is trained on and judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from archlab.data.left_out import Omission

VALIDATION_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the images were before they were resized, and what was left out.

    Attributes:
        kind: in a few words, like ``shards``.
        sizes: images by their original size, like ``640×480``.
        modes: images by their original colours, as Pillow names them: ``RGB``, ``P``, ``I;16``.
        enlarged: images of which a side was smaller than asked for.
        left_out: by the reason, the most frequent first.
    """

    kind: str = ""
    sizes: Mapping[str, int] = field(default_factory=dict)
    modes: Mapping[str, int] = field(default_factory=dict)
    enlarged: int = 0
    left_out: Mapping[str, Omission] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class CaptionedImages:
    """A data set, resized, with its split.

    Attributes:
        name: ``digits``, ``shapes``, the name of a folder or file.
        images: float32 [N, C, H, W] in [-1, 1]; of files memory-mapped from the cache.
        captions: one per image.
        train, validation: indices into ``images``; together every image once.
        attributes: what can be read off an image, each with its values; empty where nothing is known.
        facts: int64 [N, A]: each image's value of each attribute; -1 where its caption does not say it.
        id: content hash of images, captions, size and split.
        names: of the images' files below their root, like ``a/0.png``; empty for images that are made.
    """

    name: str
    images: Tensor
    captions: list[str]
    train: Tensor
    validation: Tensor
    attributes: Mapping[str, tuple[str, ...]]
    facts: Tensor
    id: str
    origin: Origin = Origin()
    names: Sequence[str] = ()

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.images.shape[1]

    @property
    def prompts(self) -> list[str]:
        """The distinct captions in the order in which they first appear."""
        return list(dict.fromkeys(self.captions))

    def prompts_to_draw(self, count: int) -> tuple[list[str], Tensor]:
        """``count`` captions to draw images of, always the same, and the facts that each states: int64 [count, A].

        All distinct captions in turn where they are few enough; otherwise those of the validation split, spread over
        it, each before any comes twice.
        """
        distinct = _first_places(self.captions, range(len(self.captions)))
        if len(distinct) > count:
            distinct = _first_places(self.captions, self.validation.tolist())
        if len(distinct) > count:
            chosen = [distinct[index * len(distinct) // count] for index in range(count)]
        else:
            chosen = [distinct[index % len(distinct)] for index in range(count)]
        return [self.captions[index] for index in chosen], self.facts[chosen]


def _first_places(captions: Sequence[str], among: Sequence[int]) -> list[int]:
    """Where each distinct caption first appears among these places."""
    first: dict[str, int] = {}
    for index in among:
        first.setdefault(captions[index], index)
    return list(first.values())
