"""``shapes``: what the captions say is what the pixels show, read back without the code that drew them."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import ndimage

from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.data.scenes import COLOURS, UNSEEN
from archlab.errors import BadInput

OPPOSITE = {"below": "above", "right": "left"}


@pytest.fixture(scope="module")
def shapes() -> CaptionedImages:
    return load_data("shapes", 48)


def things(caption: str) -> list[list[str]]:
    """Size, colour and shape of each object, in the order of the caption."""
    words = caption.split()
    return [words[index + 1 : index + 4] for index, word in enumerate(words) if word == "a"]


def stated(caption: str) -> dict[str, str]:
    """The facts as an independent reading of the caption has them."""
    words, said = caption.split(), things(caption)
    facts = {"objects": ["one", "two"][len(said) - 1]}
    if len(said) == 1:
        facts["place"] = " ".join(words[6:]) if words[4] == "at" else words[6]
    else:
        relation = words[4]
        if relation in OPPOSITE:
            relation, said = OPPOSITE[relation], said[::-1]
        facts["relation"] = "above" if relation == "above" else "left of"
    for which, thing in zip(("first", "second"), said, strict=False):
        facts |= {f"{which} {name}": word for name, word in zip(("size", "colour", "shape"), thing, strict=True)}
    return facts


def test_facts_are_exactly_what_the_caption_says(shapes: CaptionedImages) -> None:
    for caption, row in zip(shapes.captions, shapes.facts.tolist(), strict=True):
        known = zip(shapes.attributes.items(), row, strict=True)
        assert {name: values[value] for (name, values), value in known if value >= 0} == stated(caption)


def test_pixels_show_what_the_caption_says(shapes: CaptionedImages) -> None:
    """Blobs are found by their colour against the grey ground; their number, colour, size and place are compared."""
    palette = np.array(list(COLOURS.values()), dtype=float)
    for index in range(0, len(shapes.captions), 16):
        facts, picture = stated(shapes.captions[index]), (shapes.images[index].numpy() + 1) * 127.5
        labels, count = ndimage.label(abs(picture - picture[:, :1, :1]).max(0) > 20)
        assert count == {"one": 1, "two": 2}[facts["objects"]]
        blobs = [np.argwhere(labels == 1 + k) for k in range(count)]
        if facts.get("relation"):
            blobs.sort(key=lambda blob: blob.mean(0)[0 if facts["relation"] == "above" else 1])
        else:
            down, right = (blobs[0].min(0) + blobs[0].max(0)) / 2 / 48 - 0.5
            where = facts["place"]
            assert (abs(down) > 0.1, abs(right) > 0.1) == (where != "middle",) * 2
            assert where == "middle" or (down > 0, right > 0) == ("bottom" in where, "right" in where)
        for which, blob in zip(("first", "second"), blobs, strict=False):
            colour = np.median(picture[:, blob[:, 0], blob[:, 1]], axis=1)
            cosines = palette @ colour / np.linalg.norm(palette, axis=1)
            assert list(COLOURS)[cosines.argmax()] == facts[f"{which} colour"]
            extent = (blob.max(0) - blob.min(0)).max() / 48
            assert ("large" if extent > 0.31 else "small") == facts[f"{which} size"]
            filled = len(blob) / np.prod(blob.max(0) - blob.min(0) + 1)
            low, high = {"square": (0.95, 1), "circle": (0.7, 0.95), "triangle": (0.45, 0.7), "cross": (0.45, 0.7)}[
                facts[f"{which} shape"]
            ]
            assert low <= filled <= high
            below = (blob[:, 0] > (blob[:, 0].min() + blob[:, 0].max()) / 2).mean()
            assert (below > 0.6) == (facts[f"{which} shape"] == "triangle")


def test_a_fifth_validates_half_of_it_on_pairings_that_training_lacks(shapes: CaptionedImages) -> None:
    def unseen(index: int) -> int:
        return sum((colour, shape) in UNSEEN for _, colour, shape in things(shapes.captions[index]))

    assert sorted([*shapes.train.tolist(), *shapes.validation.tolist()]) == list(range(4096))
    assert len(shapes.validation) / 4096 == pytest.approx(0.2, abs=0.001)
    assert not any(unseen(index) for index in shapes.train.tolist())
    counts = Counter(map(unseen, shapes.validation.tolist()))
    assert counts == {0: 410, 1: 410}


def test_training_scenes_are_balanced(shapes: CaptionedImages) -> None:
    for name, row in zip(shapes.attributes, shapes.facts[shapes.train].T, strict=True):
        counts = torch.bincount(row[row >= 0]).double()
        shares = counts / counts.sum()
        expected = torch.tensor([1 / 3, 2 / 3]) if name == "objects" else torch.full_like(shares, 1 / len(shares))
        assert len(counts) == len(shapes.attributes[name])
        assert (shares / expected - 1).abs().max() < 0.15, name


def test_scenes_are_the_same_at_every_size_and_time(shapes: CaptionedImages) -> None:
    assert shapes.captions[:2] == [
        "a large white cross at the bottom right",
        "a small green square above a large blue circle",
    ]
    small = load_data("shapes", 16)
    assert small.captions == shapes.captions
    assert small.facts.equal(shapes.facts)
    shrunk = torch.nn.functional.avg_pool2d(shapes.images, 3)
    assert (shrunk - small.images).abs().mean() < 0.02
    assert len(load_data("shapes", 20).images.unique()) > 100  # edges are anti-aliased


def test_too_few_pixels_are_refused() -> None:
    with pytest.raises(BadInput, match="shapes need images of at least 16 pixels a side, not 8"):
        load_data("shapes", 8)
