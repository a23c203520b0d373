from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from sklearn.linear_model import LogisticRegression

from archlab.checkpoint import Checkpoint, write_checkpoint
from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.scores.attribute_classifier import FEATURE_DIM, AttributeClassifier, load_classifier

HELD_OUT = torch.arange(1797) % 7 == 6


@pytest.fixture(scope="module")
def digits() -> CaptionedImages:
    return load_data("digits", 8)


@pytest.fixture(scope="module")
def trained(digits: CaptionedImages) -> AttributeClassifier:
    return load_classifier(digits)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Little training, in a cache of its own."""
    monkeypatch.setattr("archlab.scores.attribute_classifier.STEPS", 3)
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    return tmp_path / "classifiers"


def test_reported_accuracy_is_of_images_that_it_has_not_seen(
    digits: CaptionedImages, trained: AttributeClassifier
) -> None:
    right = (trained.read(digits.images) == digits.facts).flatten()
    by_digit = [right[HELD_OUT & (digits.facts.flatten() == digit)].double().mean() for digit in range(10)]
    assert trained.accuracy == pytest.approx(torch.stack(by_digit).mean().item())
    assert trained.accuracy > 0.95
    assert right[~HELD_OUT].double().mean() > right[HELD_OUT].double().mean()


def test_features_alone_tell_the_digits_apart(digits: CaptionedImages, trained: AttributeClassifier) -> None:
    features = trained.features(digits.images)
    assert features.shape == (1797, FEATURE_DIM)
    judge = LogisticRegression(max_iter=2000).fit(features[~HELD_OUT], digits.facts[~HELD_OUT].flatten())
    assert judge.score(features[HELD_OUT], digits.facts[HELD_OUT].flatten()) > 0.95


def test_images_of_other_sizes_are_understood(trained: AttributeClassifier) -> None:
    large = load_data("digits", 16)
    assert (trained.read(large.images) == large.facts).double().mean() > 0.9


def test_scenes_are_read_fact_by_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archlab.scores.attribute_classifier.STEPS", 150)
    shapes = load_data("shapes", 16)
    read = load_classifier(shapes).read(shapes.images)
    for name, values, facts in zip(shapes.attributes, read.T, shapes.facts.T, strict=True):
        chance = 1 / len(shapes.attributes[name])
        assert (values == facts)[facts >= 0].double().mean() > chance + 0.3, name


def test_without_attributes_it_learns_the_words_that_tell_images_apart(
    digits: CaptionedImages, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archlab.scores.attribute_classifier.STEPS", 300)
    unknown = replace(digits, attributes={}, facts=torch.empty(1797, 0, dtype=torch.int64))
    words = load_classifier(unknown)
    read = words.read(digits.images)
    assert read.shape == (1797, 10)  # "a" and "handwritten" are in every caption
    assert read.sum(1).double().mean() == pytest.approx(1, abs=0.1)
    assert words.accuracy is not None
    assert words.accuracy > 0.9


def test_captions_that_all_say_the_same_leave_nothing_to_read(digits: CaptionedImages, short: Path) -> None:
    same = replace(digits, attributes={}, captions=["a digit"] * 1797, facts=torch.empty(1797, 0, dtype=torch.int64))
    blind = load_classifier(same)
    assert blind.accuracy is None
    assert blind.features(digits.images[:2]).shape == (2, FEATURE_DIM)


def test_a_cached_one_is_read_back_without_training(digits: CaptionedImages, trained: AttributeClassifier) -> None:
    again = load_classifier(digits, lambda stage, share: pytest.fail("trained again"))
    assert again.accuracy == trained.accuracy
    assert again.features(digits.images).equal(trained.features(digits.images))


@pytest.mark.parametrize("damage", ["truncated", "of another network"])
def test_damaged_cache_is_trained_anew(damage: str, digits: CaptionedImages, short: Path) -> None:
    first = load_classifier(digits)
    (path,) = short.glob("*.safetensors")
    whole = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        write_checkpoint(path, "another", Checkpoint({}, {"accuracy": 1.0}))
    assert load_classifier(digits).accuracy == first.accuracy
    tensors = load(whole)
    assert all(tensor.equal(tensors[name]) for name, tensor in load(path.read_bytes()).items())


def test_training_ignores_and_keeps_the_global_generator(digits: CaptionedImages, short: Path) -> None:
    features = []
    for seed in (98, 99):
        for path in short.glob("*.safetensors"):
            path.unlink()
        torch.manual_seed(seed)
        expected = torch.rand(1)
        torch.manual_seed(seed)
        features.append(load_classifier(digits).features(digits.images[:9]))
        assert torch.rand(1) == expected
    assert features[0].equal(features[1])


def test_progress_comes_to_its_end(digits: CaptionedImages, short: Path) -> None:
    heard: list[tuple[str, float]] = []
    load_classifier(digits, lambda stage, share: heard.append((stage, share)))
    assert heard == [("reference", pytest.approx(share)) for share in (1 / 3, 2 / 3, 1)]


def test_one_that_is_often_wrong_is_named_so(trained: AttributeClassifier) -> None:
    assert trained.described == "digits-reader-8px"
    assert replace(trained, accuracy=0.714).described == "digits-reader-8px, which is right on only 71% of values"
