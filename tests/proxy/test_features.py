from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from sklearn.linear_model import LogisticRegression

from archlab.proxy import CaptionedImages, FeatureNetwork, feature_network, load_data
from archlab.proxy.checkpoint import Checkpoint, write_checkpoint
from archlab.proxy.features import FEATURE_DIM


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    return feature_network("digits")


def test_reported_accuracy_is_the_validation_splits(digits: CaptionedImages, network: FeatureNetwork) -> None:
    right = network.classify(digits.images[digits.validation]) == digits.labels[digits.validation]
    assert network.accuracy == pytest.approx(right.double().mean().item())
    assert network.accuracy > 0.95


def test_features_alone_tell_the_digits_apart(digits: CaptionedImages, network: FeatureNetwork) -> None:
    features = network.features(digits.images)
    assert features.shape == (1797, FEATURE_DIM)
    judge = LogisticRegression(max_iter=2000).fit(features[digits.train], digits.labels[digits.train])
    assert judge.score(features[digits.validation], digits.labels[digits.validation]) > 0.95


def test_images_of_other_sizes_are_understood(network: FeatureNetwork) -> None:
    large = load_data("digits", 16)
    right = network.classify(large.images[large.validation]) == large.labels[large.validation]
    assert right.double().mean() > 0.9


def test_cached_network_is_read_back_without_training(
    network: FeatureNetwork, own_cache: Path, digits: CaptionedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archlab.proxy.features._trained", lambda data: pytest.fail("trained again"))
    feature_network.cache_clear()
    again = feature_network("digits")
    assert again.accuracy == network.accuracy
    assert (again.features(digits.images) == network.features(digits.images)).all()


@pytest.mark.parametrize("damage", ["truncated", "of another network", "missing"])
def test_damaged_cache_is_trained_anew(damage: str, network: FeatureNetwork, own_cache: Path) -> None:
    (weights,) = (own_cache / "features").glob("*.safetensors")
    whole = weights.read_bytes()
    if damage == "truncated":
        weights.write_bytes(whole[: len(whole) // 2])
    elif damage == "of another network":
        write_checkpoint(weights, "another", Checkpoint({}, {"accuracy": 1.0}))
    else:
        weights.unlink()
    feature_network.cache_clear()
    again = feature_network("digits")
    assert again.accuracy == network.accuracy
    tensors = load(whole)
    assert all(tensor.equal(tensors[name]) for name, tensor in load(weights.read_bytes()).items())


def test_training_ignores_and_keeps_the_global_generator(network: FeatureNetwork, own_cache: Path) -> None:
    for file in (own_cache / "features").iterdir():
        file.unlink()
    feature_network.cache_clear()
    torch.manual_seed(99)
    expected = torch.rand(1)
    torch.manual_seed(99)
    assert feature_network("digits").accuracy == network.accuracy
    assert torch.rand(1) == expected
