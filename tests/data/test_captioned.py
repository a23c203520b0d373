"""Prompts to draw, and which images validate."""

from collections import Counter
from pathlib import Path

import pytest

from archlab.data.captioned import CaptionedImages
from archlab.data.inspection import inspect
from archlab.data.load import load_data
from tests.data.layouts import pairs, samples


@pytest.fixture(scope="module")
def shapes() -> CaptionedImages:
    return load_data("shapes", 16)


def test_few_captions_are_drawn_in_turn() -> None:
    data = load_data("digits", 8)
    prompts, facts = data.prompts_to_draw(25)
    assert prompts == (data.prompts * 3)[:25]
    assert facts.tolist() == [[index % 10] for index in range(25)]


def test_of_many_captions_those_of_the_validation_split_are_drawn(shapes: CaptionedImages) -> None:
    prompts, facts = shapes.prompts_to_draw(256)
    validation = {shapes.captions[index] for index in shapes.validation.tolist()}
    assert len(set(prompts)) == 256
    assert set(prompts) <= validation
    stated = dict(zip(shapes.captions, shapes.facts.tolist(), strict=True))
    assert facts.tolist() == [stated[prompt] for prompt in prompts]
    assert shapes.prompts_to_draw(256)[0] == prompts
    assert max(map(shapes.captions.index, prompts)) > 0.9 * len(shapes.captions)  # spread over the split


def test_more_prompts_than_validation_captions_come_again_evenly(shapes: CaptionedImages) -> None:
    prompts, facts = shapes.prompts_to_draw(1500)
    assert set(Counter(prompts).values()) == {1500 // len(set(prompts)), 1500 // len(set(prompts)) + 1}
    assert facts.shape == (1500, len(shapes.attributes))


def test_more_images_change_no_images_side(tmp_path: Path) -> None:
    few = load_data(str(pairs(tmp_path / "few", samples(60))), 16)
    many = load_data(str(pairs(tmp_path / "many", samples(90))), 16)
    sides = {many.captions[index]: side for side in ("train", "validation") for index in getattr(many, side).tolist()}
    assert {sides[few.captions[index]] for index in few.train.tolist()} == {"train"}
    assert {sides[few.captions[index]] for index in few.validation.tolist()} == {"validation"}
    assert 0.1 < len(many.validation) / 90 < 0.3


@pytest.mark.parametrize("count", [2, 3])
def test_both_sides_have_an_image(count: int, tmp_path: Path) -> None:
    for first in range(8):
        entries = dict(list(samples(8 + count).items())[first : first + count])
        data = load_data(str(pairs(tmp_path / str(first), entries)), 16)
        assert len(data.train) > 0
        assert len(data.validation) > 0


def test_files_have_no_known_attributes_and_their_identity_follows_content_and_size(tmp_path: Path) -> None:
    entries = samples(4)
    data = load_data(str(pairs(tmp_path / "one", entries)), 16)
    assert data.name == "one"
    assert data.attributes == {}
    assert data.facts.shape == (4, 0)
    assert data.prompts_to_draw(2)[1].shape == (2, 0)
    assert load_data(str(pairs(tmp_path / "copy", entries)), 16).id == data.id
    told_otherwise = {**entries, "0000": (entries["0000"][0], "another caption")}
    others = [load_data(str(pairs(tmp_path / "told", told_otherwise)), 16), load_data(str(tmp_path / "one"), 18)]
    assert len({data.id, *(other.id for other in others)}) == 3


def test_smaller_images_are_enlarged_and_counted(tmp_path: Path) -> None:
    found = inspect(load_data(str(pairs(tmp_path / "set", samples(3))), 32))
    assert (found.enlarged, found.images, found.sizes, found.modes) == (3, 3, {"20×20": 3}, {"RGB": 3})
    assert (found.words_min, found.words_median, found.words_max, found.captions) == (3, 3, 3, 3)
