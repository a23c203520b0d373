"""A training that is known is not made again."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.errors import BadInput
from archlab.proxy.cache import TRAININGS, baseline_id, training_id
from archlab.proxy.evaluate import evaluate_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.training.settings import Distillation
from archlab.training.training import Training

pytestmark = pytest.mark.usefixtures("empty_cache")


@pytest.fixture(scope="module")
def quick(settings: ProxySettings) -> ProxySettings:
    return settings.model_copy(update={"rungs": (3, 6), "batch_size": 8, "sampling_steps": 2, "samples": 10})


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The step numbers of all trainings, as they are made."""
    made: list[int] = []
    learn = Training.learn

    def noted(self: Training, *arguments: Any) -> Tensor:
        made.append(self.step + 1)
        return learn(self, *arguments)

    monkeypatch.setattr(Training, "learn", noted)
    return made


def test_a_known_training_is_not_made_again(
    tiny_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path
) -> None:
    first = evaluate_proxy(tiny_unet, quick, tmp_path / "first")
    assert steps == [1, 2, 3, 4, 5, 6]
    heard: list[tuple[str, float]] = []
    second = evaluate_proxy(
        tiny_unet, quick, tmp_path / "second", progress=lambda stage, share: heard.append((stage, share))
    )
    assert len(steps) == 6
    assert heard[-1] == ("train", 1)
    assert (first.provenance.pop("cached"), second.provenance.pop("cached")) == ([], [0])
    assert first == second
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_the_same_proxy_of_a_larger_target_is_not_trained_again(
    small_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path
) -> None:
    side = quick.scale.sample_size
    for width in (1.0, 2.0):
        target, scale = small_unet.scaled(width=width), Scale(width=1 / width, sample_size=side)
        evaluate_proxy(target, quick.model_copy(update={"scale": scale}), tmp_path / str(width))
    assert len(steps) == 6


def test_one_more_seed_trains_that_seed(
    tiny_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path
) -> None:
    evaluate_proxy(tiny_unet, quick, tmp_path / "first")
    more = evaluate_proxy(tiny_unet, quick.model_copy(update={"seeds": 2}), tmp_path / "second")
    assert len(steps) == 2 * 6
    assert more.provenance["cached"] == [0]
    assert more.by_seed[0].val_loss != more.by_seed[1].val_loss


def test_what_was_stopped_is_known_up_to_there(
    tiny_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path
) -> None:
    first = evaluate_proxy(tiny_unet, quick, tmp_path / "first", goes_on=lambda *_: False)
    again = evaluate_proxy(tiny_unet, quick, tmp_path / "second", goes_on=lambda *_: False)
    assert steps == [1, 2, 3]
    assert again == replace(first, provenance=first.provenance | {"cached": [0]})
    whole = evaluate_proxy(tiny_unet, quick, tmp_path / "third")
    assert steps == [1, 2, 3, 1, 2, 3, 4, 5, 6]
    assert whole.stopped_at is None
    assert whole.rungs[3] == first.quality
    assert whole.provenance["cached"] == []
    cut = evaluate_proxy(tiny_unet, quick, tmp_path / "fourth", goes_on=lambda *_: False)
    assert len(steps) == 9
    assert (cut.quality, cut.rungs, cut.stopped_at) == (first.quality, first.rungs, 3)
    assert [path.name for path in (tmp_path / "fourth").iterdir()] == ["curve.csv"]


def test_a_damaged_entry_is_made_anew(
    tiny_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path, empty_cache: Path
) -> None:
    first = evaluate_proxy(tiny_unet, quick, tmp_path / "first")
    (entry,) = empty_cache.glob("*.safetensors")
    entry.write_bytes(entry.read_bytes()[:-100])
    assert evaluate_proxy(tiny_unet, quick, tmp_path / "second").quality == first.quality
    assert len(steps) == 2 * 6
    evaluate_proxy(tiny_unet, quick, tmp_path / "third")
    assert len(steps) == 2 * 6


def test_what_another_study_knows_meanwhile_is_not_forgotten(
    tiny_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path
) -> None:
    def stop(*_: Any) -> bool:
        evaluate_proxy(tiny_unet, quick, tmp_path / "another")
        return False

    evaluate_proxy(tiny_unet, quick, tmp_path / "first", goes_on=stop)
    steps.clear()
    assert evaluate_proxy(tiny_unet, quick, tmp_path / "second").provenance["cached"] == [0]
    assert steps == []


def test_the_least_recently_used_goes_first(
    tiny_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(seed: int) -> bool:
        steps.clear()
        evaluate_proxy(tiny_unet, quick, tmp_path / "trial", seed=seed)
        return bool(steps)

    assert trained(0)
    (entry,) = TRAININGS.entries()
    monkeypatch.setenv("ARCHLAB_CACHE_GB", str(2.5 * entry.path.stat().st_size / 1e9))
    assert trained(1)
    for age, used in enumerate(sorted(TRAININGS.entries(), key=lambda entry: entry.path.stat().st_mtime, reverse=True)):
        os.utime(used.path, (time.time() - 3600 * (age + 2),) * 2)
    assert not trained(0)
    assert trained(2)
    assert not trained(0)
    assert len(TRAININGS.entries()) == 2
    assert trained(1)


def test_a_limit_that_is_no_number_is_said_and_costs_no_step(
    tiny_unet: UNetSpec, quick: ProxySettings, steps: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE_GB", "20G")
    with pytest.raises(BadInput, match="ARCHLAB_CACHE_GB: a number of gigabytes is needed but it is '20G'"):
        evaluate_proxy(tiny_unet, quick, tmp_path)
    monkeypatch.delenv("ARCHLAB_CACHE_GB")
    evaluate_proxy(tiny_unet, quick, tmp_path)
    assert len(steps) == 6


def identity(spec: UNetSpec, settings: ProxySettings, data: str = "data", seed: int = 0, device: str = "cpu") -> str:
    return training_id(spec, settings, data, seed, device)


@pytest.mark.parametrize(
    ("change", "is_of_the_baseline"),
    [
        ({"rungs": (3, 7)}, True),
        ({"rungs": (2, 6)}, False),
        ({"quality": "fid"}, False),
        ({"batch_size": 9}, True),
        ({"learning_rate": 1e-5}, True),
        ({"objective": "v"}, True),
        ({"schedule": "linear"}, True),
        ({"min_snr": 5.0}, True),
        ({"precision": "bf16"}, True),
        ({"init": "inherit"}, False),
        ({"distill": Distillation()}, False),
        ({"ema_decay": 0.5}, True),
        ({"prompt_dropout": 0.2}, True),
        ({"finetune_share": 0.5}, True),
        ({"samples": 7}, False),
        ({"sampler": "ddim"}, False),
        ({"sampling_steps": 3}, False),
        ({"score_steps": (8, 1)}, False),
        ({"guidance": 3.0}, False),
    ],
    ids=str,
)
def test_what_decides_a_training_names_it(
    change: dict[str, Any], is_of_the_baseline: bool, tiny_unet: UNetSpec, quick: ProxySettings
) -> None:
    changed = quick.model_copy(update=change)
    assert identity(tiny_unet, changed) != identity(tiny_unet, quick)
    baselines = [baseline_id(tiny_unet, settings, "data", "cpu") for settings in (changed, quick)]
    assert (baselines[0] != baselines[1]) == is_of_the_baseline


def test_architecture_data_seed_device_and_baseline_name_it_too(tiny_unet: UNetSpec, quick: ProxySettings) -> None:
    other = replace(tiny_unet, norm_groups=2)
    ids = {
        training_id(spec, quick, data, seed, device, baseline)
        for spec in (tiny_unet, other)
        for data in "ab"
        for seed in (0, 1)
        for device in ("cpu", "cuda")
        for baseline in (None, other.id)
    }
    assert len(ids) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 3},
        {"threads": 1},
        {"micro_batch": 4},
        {"zero_cost": True},
        {"device": "cpu"},
        {"data": "a folder that was moved"},
        {"clip": "another that was moved"},
    ],
    ids=str,
)
def test_how_it_is_made_and_where_data_lies_do_not(
    change: dict[str, Any], tiny_unet: UNetSpec, quick: ProxySettings
) -> None:
    assert identity(tiny_unet, quick.model_copy(update=change)) == identity(tiny_unet, quick)
