"""Rung by rung: judged, interrupted anywhere and taken up again."""

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.diffusion.process import NoisyBatch
from archlab.encoders.prepare import Prepared
from archlab.errors import OutOfMemory
from archlab.proxy.evaluate import ProxyResult, evaluate_proxy, proxy_spec
from archlab.proxy.parts import proxy_scorer, text_to_image
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training
from archlab.training.training import Diverged, Training
from archlab.unet import UNet

pytestmark = pytest.mark.usefixtures("empty_cache")


class Interrupted(BaseException):
    """Nobody handles it, as nobody handles a kill."""


@pytest.fixture(scope="module")
def quick(settings: ProxySettings) -> ProxySettings:
    return settings.model_copy(
        update={"rungs": (3, 6, 8), "seeds": 2, "batch_size": 8, "sampling_steps": 2, "samples": 10}
    )


@pytest.fixture
def learnt(monkeypatch: pytest.MonkeyPatch) -> list[NoisyBatch]:
    """Every batch that was learnt from."""
    batches: list[NoisyBatch] = []
    on_each_step(monkeypatch, batches.append)
    return batches


def on_each_step(monkeypatch: pytest.MonkeyPatch, hear: Callable[[NoisyBatch], Any]) -> None:
    learn = Training.learn

    def heard(self: Training, batch: NoisyBatch) -> Tensor:
        hear(batch)
        return learn(self, batch)

    monkeypatch.setattr(Training, "learn", heard)


def evaluate_until(
    error: BaseException, steps: int, monkeypatch: pytest.MonkeyPatch, *arguments: Any, **options: Any
) -> None:
    """`evaluate_proxy` that fails when so many steps have been made."""
    left = steps

    def count_down(_: NoisyBatch) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise error

    with monkeypatch.context() as patch:
        on_each_step(patch, count_down)
        evaluate_proxy(*arguments, **options)


def scores(result: ProxyResult) -> Any:
    """All but the seconds."""
    by_seed = [replace(seed, train_seconds=0, score_seconds=0) for seed in result.by_seed]
    return result.quality, result.rungs, result.val_loss, result.fid, result.stopped_at, by_seed


def files(folder: Path) -> dict[str, Any]:
    """Contents by name; of the curve all but the seconds."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    with (folder / "curve.csv").open() as file:
        found["curve.csv"] = [(row["seed"], row["step"], row["loss"]) for row in csv.DictReader(file)]
    return found


def test_every_rung_but_the_last_is_judged_by_the_quality_of_each_seed(
    tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path
) -> None:
    heard: list[tuple[int, list[float]]] = []

    def judge(steps: int, qualities: Sequence[float]) -> bool:
        heard.append((steps, list(qualities)))
        return True

    result = evaluate_proxy(tiny_unet, quick, tmp_path / "trial", goes_on=judge)
    assert heard == [(rung, [seed.rungs[rung] for seed in result.by_seed]) for rung in (3, 6)]
    assert result.stopped_at is None
    assert result.quality == result.rungs[8]


@pytest.mark.parametrize("quality", ["val_loss", "fid"])
def test_quality_at_a_rung_is_that_of_a_training_up_to_there(
    quality: str, tiny_unet: UNetSpec, quick: ProxySettings, prepared: Prepared, tmp_path: Path
) -> None:
    settings = quick.model_copy(update={"quality": quality, "seeds": 1})
    result = evaluate_proxy(tiny_unet, settings, tmp_path / "trial", seed=5)
    training = begin_training(proxy_spec(tiny_unet, settings), prepared, settings, seed=5)
    scorer, draw = proxy_scorer(prepared, settings), partial(text_to_image(prepared, settings), training.network)
    for rung in settings.rungs:
        training.run(rung)
        assert result.rungs[rung] == scorer.at_rung(training.network, draw).quality.value
    scores = scorer.at_end(training.network, draw).by_name
    assert result.by_seed[0].scores[8] == scores
    assert (result.val_loss, result.fid) == (scores["val_loss"].value, scores["fid"].value)
    assert result.quality == scores[quality].value


@pytest.mark.parametrize("quality", ["val_loss", "fid"])
def test_a_stopped_training_ends_at_its_rung(
    quality: str, tiny_unet: UNetSpec, quick: ProxySettings, learnt: list[NoisyBatch], tmp_path: Path
) -> None:
    settings = quick.model_copy(update={"quality": quality})
    result = evaluate_proxy(tiny_unet, settings, tmp_path / "trial", goes_on=lambda steps, _: steps < 6)
    assert len(learnt) == 2 * 6
    assert (result.stopped_at, result.steps, list(result.rungs)) == (6, 6, [3, 6])
    assert result.quality == result.rungs[6]
    assert result.quality_std is not None
    known, missing = ("fid", "val_loss") if quality == "fid" else ("val_loss", "fid")
    assert getattr(result, known) == result.quality
    assert getattr(result, missing) is None
    assert result.fid_label == (result.quality_label if quality == "fid" else None)
    assert known in result.scores
    assert missing not in result.scores
    assert result.images_per_second == pytest.approx(2 * 6 * 8 / result.train_seconds)
    assert list(files(tmp_path / "trial")) == ["curve.csv"]
    assert len(files(tmp_path / "trial")["curve.csv"]) == 2 * 6


def test_scoring_is_timed_at_every_rung_whether_it_draws_or_not(
    tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count(step=1)  # from looking at the clock to looking again a second passes
    monkeypatch.setattr("archlab.proxy.run.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    stopped = evaluate_proxy(tiny_unet, quick, tmp_path / "trial", goes_on=lambda steps, _: steps < 6)
    assert stopped.score_seconds == 2 * 2  # rungs, seeds
    whole = evaluate_proxy(tiny_unet, quick, tmp_path / "again")  # which knows the first two rungs from the cache
    assert [seed.score_seconds for seed in whole.by_seed] == [3, 3]


@pytest.mark.parametrize(
    ("quality", "checkpoint_seconds", "lost", "judged_again"),
    [("val_loss", math.inf, 1, {1: [3, 6], 7: [3, 6], 15: []}), ("fid", 0, 0, {1: [3, 6], 7: [6], 15: []})],
    ids=["saved at rungs", "saved at every step"],
)
def test_interrupted_anywhere_it_comes_to_the_same_end(
    quality: str,
    checkpoint_seconds: float,
    lost: int,
    judged_again: dict[int, list[int]],
    tiny_unet: UNetSpec,
    quick: ProxySettings,
    learnt: list[NoisyBatch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = quick.model_copy(update={"quality": quality})
    often = {"checkpoint_seconds": checkpoint_seconds}
    through = evaluate_proxy(tiny_unet, settings, tmp_path / "through")
    judged: list[int] = []

    def judge(rung: int, _: Sequence[float]) -> bool:
        judged.append(rung)
        return True

    for steps, rungs in judged_again.items():  # of 3 + 3 to the first rung, 3 + 3 to the second, 2 + 2 to the last
        monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / f"cache-{steps}"))
        folder = tmp_path / str(steps)
        learnt.clear()
        with pytest.raises(Interrupted):
            evaluate_until(Interrupted(), steps, monkeypatch, tiny_unet, settings, folder, **often)
        judged.clear()
        result = evaluate_proxy(tiny_unet, settings, folder, goes_on=judge, checkpoint_seconds=checkpoint_seconds)
        assert scores(result) == scores(through)
        assert files(folder) == files(tmp_path / "through")
        assert judged == rungs
        assert len(learnt) == 2 * 8 + lost


def test_paused_at_rungs_it_comes_to_the_same_end_and_trains_no_step_twice(
    tiny_unet: UNetSpec, quick: ProxySettings, learnt: list[NoisyBatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    through = evaluate_proxy(tiny_unet, quick, tmp_path / "through")
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "another cache"))
    learnt.clear()
    folder = tmp_path / "paused"
    for until in (3, 6):
        paused = evaluate_proxy(tiny_unet, quick, folder, until=until)
        assert (paused.stopped_at, paused.steps) == (until, until)
        assert paused.rungs == {rung: through.rungs[rung] for rung in (3, 6) if rung <= until}
        assert sorted(path.name for path in folder.glob("training-*")) == [
            "training-0.safetensors",
            "training-1.safetensors",
        ]
    assert scores(evaluate_proxy(tiny_unet, quick, folder, until=8)) == scores(through)
    assert files(folder) == files(tmp_path / "through")
    assert len(learnt) == 2 * 8


def test_killed_while_it_was_judged_it_is_judged_again_and_trains_no_step_twice(
    tiny_unet: UNetSpec, quick: ProxySettings, learnt: list[NoisyBatch], tmp_path: Path
) -> None:
    def killed(steps: int, _: Sequence[float]) -> bool:
        if steps == 6:
            raise Interrupted
        return True

    with pytest.raises(Interrupted):
        evaluate_proxy(tiny_unet, quick, tmp_path / "trial", goes_on=killed)
    result = evaluate_proxy(tiny_unet, quick, tmp_path / "trial", goes_on=lambda steps, _: steps < 6)
    assert result.stopped_at == 6
    assert len(learnt) == 2 * 6


@pytest.mark.parametrize("damage", ["other settings", "truncated"])
def test_state_that_does_not_fit_is_ignored(
    damage: str, tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = quick.model_copy(update={"seeds": 1})
    other = one.model_copy(update={"learning_rate": 1e-3}) if damage == "other settings" else one
    with pytest.raises(Interrupted):
        evaluate_until(Interrupted(), 4, monkeypatch, tiny_unet, other, tmp_path / "trial")
    state = tmp_path / "trial" / "training-0.safetensors"
    if damage == "truncated":
        state.write_bytes(state.read_bytes()[:-1])
    found = evaluate_proxy(tiny_unet, one, tmp_path / "trial")
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "other"))
    assert scores(found) == scores(evaluate_proxy(tiny_unet, one, tmp_path / "through"))


def test_a_diverged_training_leaves_no_state(tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path) -> None:
    absurd = quick.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(Diverged):
        evaluate_proxy(tiny_unet, absurd, tmp_path)
    assert list(tmp_path.glob("*training*")) == []


def test_what_a_kill_left_of_writing_goes(tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path) -> None:
    (tmp_path / ".training-0.abc123.safetensors").write_bytes(b"half")
    evaluate_proxy(tiny_unet, quick, tmp_path)
    assert list(tmp_path.glob(".training*")) == []


def test_too_large_a_batch_ends_as_out_of_memory(tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path) -> None:
    beyond_any_address = quick.model_copy(update={"batch_size": 2**46})
    with pytest.raises(OutOfMemory, match=rf"out of memory with {2**46} images at once.*micro_batch"):
        evaluate_proxy(tiny_unet, beyond_any_address, tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("std::bad_alloc"),
    ],
    ids=repr,
)
def test_every_kind_of_it_is_named(
    error: Exception, tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutOfMemory, match="with 8 images"):
        evaluate_until(error, 0, monkeypatch, tiny_unet, quick, tmp_path)
    with pytest.raises(RuntimeError, match="shapes"):
        evaluate_until(RuntimeError("shapes do not match"), 0, monkeypatch, tiny_unet, quick, tmp_path)


def test_after_out_of_memory_it_goes_on_with_a_smaller_micro_batch(
    tiny_unet: UNetSpec, quick: ProxySettings, learnt: list[NoisyBatch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = quick.model_copy(update={"seeds": 1})
    through = evaluate_proxy(tiny_unet, settings, tmp_path / "through")
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "other"))
    with pytest.raises(OutOfMemory):
        evaluate_until(MemoryError(), 7, monkeypatch, tiny_unet, settings, tmp_path / "trial")
    learnt.clear()
    result = evaluate_proxy(tiny_unet, settings, tmp_path / "trial", micro_batch=3)
    assert len(learnt) == 2
    assert result.rungs[6] == through.rungs[6]
    assert result.quality == pytest.approx(through.quality, rel=1e-4)
    assert result.provenance["micro_batch"] == 3


def test_with_a_smaller_micro_batch_it_is_scored_in_smaller_parts_too(
    tiny_unet: UNetSpec, quick: ProxySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    through = evaluate_proxy(tiny_unet, quick, tmp_path / "through")
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "other"))
    seen: set[int] = set()
    forward = UNet.forward

    def noted(self: UNet, sample: Tensor, *arguments: Tensor) -> Tensor:
        seen.add(len(sample))
        return forward(self, sample, *arguments)

    monkeypatch.setattr(UNet, "forward", noted)
    result = evaluate_proxy(tiny_unet, quick, tmp_path / "trial", micro_batch=3)
    assert max(seen) == 2 * 3  # guidance doubles what is drawn
    assert result.val_loss == pytest.approx(through.val_loss, rel=1e-4)
    assert result.fid == pytest.approx(through.fid, rel=1e-2)
