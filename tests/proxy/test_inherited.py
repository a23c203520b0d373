"""The trained baseline, whose weights others begin with and from whom they learn."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from archlab.architecture import UNetSpec, map_transformers
from archlab.diffusion.process import NoisyBatch
from archlab.encoders.prepare import Prepared
from archlab.errors import BadInput, RunFailed
from archlab.proxy.evaluate import evaluate_proxy, proxy_spec
from archlab.proxy.inherited import trained_baseline
from archlab.proxy.settings import ProxySettings
from archlab.training.settings import Distillation
from archlab.training.training import Training

pytestmark = pytest.mark.usefixtures("empty_cache")

DISTILL = Distillation(output=1, features=0.1)


class Interrupted(BaseException):
    """Nobody handles it, as nobody handles a kill."""


@pytest.fixture(scope="module")
def baseline(small_unet: UNetSpec) -> UNetSpec:
    return replace(small_unet, stages=tuple(replace(stage, channels=8) for stage in small_unet.stages))


@pytest.fixture(scope="module")
def slimmer(baseline: UNetSpec) -> UNetSpec:
    return map_transformers(baseline, lambda transformer, _: replace(transformer, ff_ratio=2, kv_sharing="all"))


@pytest.fixture(scope="module")
def quick(settings: ProxySettings) -> ProxySettings:
    return settings.model_copy(update={"rungs": (3, 6), "batch_size": 8, "sampling_steps": 2, "samples": 10})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Parameters of the network that each step of any training was made with."""
    steps: list[int] = []
    learn = Training.learn

    def noted(self: Training, batch: NoisyBatch) -> Tensor:
        steps.append(sum(weight.numel() for weight in self.network.parameters()))
        return learn(self, batch)

    monkeypatch.setattr(Training, "learn", noted)
    return steps


def interrupt_after(steps: int, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> None:
    left, learn = steps, Training.learn

    def counted(self: Training, batch: NoisyBatch) -> Tensor:
        nonlocal left
        left -= 1
        if left < 0:
            raise Interrupted
        return learn(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "learn", counted)
        with pytest.raises(Interrupted):
            evaluate_proxy(**arguments)


@pytest.mark.parametrize("change", [{"init": "inherit"}, {"distill": DISTILL}], ids=str)
def test_the_baseline_is_trained_once_for_all(
    change: dict[str, Any],
    baseline: UNetSpec,
    slimmer: UNetSpec,
    quick: ProxySettings,
    made: list[int],
    tmp_path: Path,
    empty_cache: Path,
) -> None:
    settings = quick.model_copy(update={**change, "seeds": 2})
    heard: list[tuple[str, float]] = []
    result = evaluate_proxy(
        slimmer, settings, tmp_path / "first", baseline=baseline, progress=lambda *said: heard.append(said)
    )
    assert len(made) == 6 + 2 * 6
    assert len(set(made[:6])) == 1 != len(set(made))
    assert heard[0][0] == "train the baseline"
    assert ("train the baseline", 1.0) in heard
    assert result.provenance["baseline"] == proxy_spec(baseline, quick).id
    made.clear()
    other = evaluate_proxy(baseline, settings, tmp_path / "second", baseline=baseline, seed=5)
    assert len(made) == 2 * 6
    assert other.provenance["cached"] == []
    made.clear()
    again = evaluate_proxy(slimmer, settings, tmp_path / "third", baseline=baseline)
    assert made == []
    assert again.provenance["cached"] == [0, 1]
    assert again.provenance["inherited"] == result.provenance["inherited"]
    assert again.by_seed == result.by_seed
    assert len([path for path in empty_cache.glob("*.safetensors") if "training" in path.name]) == 0


def test_what_is_inherited_is_said(baseline: UNetSpec, slimmer: UNetSpec, quick: ProxySettings, tmp_path: Path) -> None:
    settings = quick.model_copy(update={"init": "inherit"})
    facts = evaluate_proxy(slimmer, settings, tmp_path, baseline=baseline).provenance["inherited"]
    assert facts["parent"] == proxy_spec(baseline, quick).id
    assert facts["params"]["kept"] > facts["params"]["trimmed"] > 0
    assert facts["params"]["fitted"] > 0 == facts["params"]["new"]
    assert facts["params_dropped"] > 0


def test_a_proxy_begins_where_the_baseline_ended(
    baseline: UNetSpec, prepared: Prepared, quick: ProxySettings, val_loss: Any, tmp_path: Path
) -> None:
    longer = quick.model_copy(update={"rungs": (1, 40)})
    parent = trained_baseline(proxy_spec(baseline, quick), prepared, longer)
    inheriting = longer.model_copy(update={"init": "inherit"})
    result = evaluate_proxy(baseline, inheriting, tmp_path, baseline=baseline, seed=3)
    assert result.rungs[1] == pytest.approx(val_loss(parent), rel=0.3)  # the first step of Adam is a large one
    assert evaluate_proxy(baseline, longer, tmp_path, seed=3).rungs[1] > 0.95


@pytest.mark.parametrize("change", [{"init": "inherit"}, {"init": "inherit", "distill": DISTILL}], ids=str)
def test_interrupted_anywhere_it_comes_to_the_same_end(
    change: dict[str, Any],
    baseline: UNetSpec,
    slimmer: UNetSpec,
    quick: ProxySettings,
    made: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = quick.model_copy(update=change)
    through = evaluate_proxy(slimmer, settings, tmp_path / "through", baseline=baseline)
    for steps in (2, 6, 8, 10):  # 6 of the baseline, then 6 of its heir
        monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / f"cache-{steps}"))
        folder = tmp_path / str(steps)
        interrupt_after(
            steps, monkeypatch, spec=slimmer, settings=settings, folder=folder, baseline=baseline, checkpoint_seconds=0
        )
        made.clear()
        result = evaluate_proxy(slimmer, settings, folder, baseline=baseline)
        assert len(made) == 12 - steps
        assert result.by_seed[0].rungs == through.by_seed[0].rungs
        assert result.scores == through.scores
        names = ("samples.png", "checkpoint.safetensors")
        assert all((folder / name).read_bytes() == (tmp_path / "through" / name).read_bytes() for name in names)


def test_who_comes_while_it_is_trained_waits_for_it(
    baseline: UNetSpec, prepared: Prepared, quick: ProxySettings, made: list[int]
) -> None:
    spec = proxy_spec(baseline, quick)
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(lambda _: trained_baseline(spec, prepared, quick).state_dict(), range(2))
    assert len(made) == 6
    assert all(first[name].equal(second[name]) for name in first)


def test_without_a_baseline_it_is_refused(baseline: UNetSpec, quick: ProxySettings, tmp_path: Path) -> None:
    for change in ({"init": "inherit"}, {"distill": DISTILL}):
        with pytest.raises(BadInput, match="need a baseline"):
            evaluate_proxy(baseline, quick.model_copy(update=change), tmp_path)


def test_a_baseline_that_diverges_is_named(
    baseline: UNetSpec, slimmer: UNetSpec, quick: ProxySettings, tmp_path: Path
) -> None:
    absurd = quick.model_copy(update={"init": "inherit", "learning_rate": 1e30})
    with pytest.raises(RunFailed, match=r"^the baseline: training diverged at step \d"):
        evaluate_proxy(slimmer, absurd, tmp_path, baseline=baseline)
