"""One architecture in, its quality out: shrink, train rung by rung, score, draw."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from safetensors.torch import save

from archlab.architecture import ArchitectureError, UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, OutOfMemory
from archlab.files import atomic_path
from archlab.proxy.curve import write_curves
from archlab.proxy.data import load_data
from archlab.proxy.progress import Progress, throttled, together
from archlab.proxy.run import Bench, Finished, SeedResult, SeedRun
from archlab.proxy.sample import grid
from archlab.proxy.score import fid_label
from archlab.proxy.text import CONTEXT_DIM, CONTEXT_LENGTH
from archlab.proxy.train import Diverged
from archlab.space.settings import ProxySettings

Judge = Callable[[int, Sequence[float]], bool]

VAL_LOSS_LABEL = "val_loss"
_ALLOCATION_FAILED = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory")  # as RuntimeError


@dataclass(frozen=True, kw_only=True)
class ProxyResult:
    """Quality of one architecture, judged by its proxy. Lower is better for every score.

    Attributes:
        quality, quality_label: the metric that the settings chose, and what it is.
        quality_std: its sample standard deviation over the seeds; None for one seed.
        val_loss, fid, rungs: means over the seeds; ``rungs`` has the quality at each rung. Of a training that was
            stopped, the score that is not its quality is None.
        by_seed: every seed's own values.
        stopped_at: the rung at which it was judged not worth going on; None for one that reached the last.
        steps: optimiser steps of one training run.
        train_seconds, sample_seconds: all seeds together.
        images_per_second: images trained on.
        params_m: of the proxy, in millions.
        feature_accuracy: validation accuracy of the network whose features FID compares.
        architecture: content hash of the proxy's spec.
        provenance: torch version, threads, micro-batch, data id, first seed, settings; under ``cached`` the seeds
            that an earlier evaluation trained.
    """

    quality: float
    quality_label: str
    quality_std: float | None
    val_loss: float | None
    fid: float | None
    fid_label: str | None
    rungs: dict[int, float]
    by_seed: tuple[SeedResult, ...]
    stopped_at: int | None
    steps: int
    train_seconds: float
    sample_seconds: float
    images_per_second: float
    params_m: float
    feature_accuracy: float
    architecture: str
    provenance: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return asdict(self)


def proxy_spec(spec: UNetSpec, settings: ProxySettings) -> UNetSpec:
    """The architecture shrunk to ``settings.scale``, with the data's channels and the text encoder's context.

    SDXL-style added conditioning is left out: the data has no sizes or crops to condition on.

    Raises:
        BadInput: the sample size cannot be halved as often as the architecture does.
    """
    channels = load_data(settings.data, settings.scale.sample_size).channels
    try:
        return replace(
            spec.scaled(width=settings.scale.width, sample_size=settings.scale.sample_size),
            in_channels=channels,
            out_channels=channels,
            context_dim=CONTEXT_DIM,
            context_length=CONTEXT_LENGTH,
            added=None,
        )
    except ArchitectureError as error:
        raise BadInput(f"proxy.scale: {error}") from None


def always(_steps: int, _qualities: Sequence[float]) -> bool:
    """The judge that stops nothing."""
    return True


def evaluate_proxy(
    spec: UNetSpec,
    settings: ProxySettings,
    folder: Path,
    *,
    seed: int = 0,
    micro_batch: int | None = None,
    progress: Progress = lambda _stage, _share: None,
    judge: Judge = always,
) -> ProxyResult:
    """Train the proxy of ``spec`` rung by rung, all seeds in step, draw from it, and say how good it is.

    Writes ``curve.csv`` (seed, step, loss, seconds), ``samples.png`` and ``checkpoint.safetensors`` (averaged
    weights, for `build(proxy_spec(...))`) into ``folder``; the last two are the first seed's, and a training that is
    stopped leaves neither. Called again after it was interrupted, it goes on from the state that it keeps there,
    bit for bit. Seeds that an earlier evaluation trained are not trained again.

    Args:
        spec: the target architecture, not yet shrunk.
        seed: of the first training run; ``settings.seeds`` runs have this seed and those after it.
        micro_batch: how many images are in memory at once; absent: as the settings have it, or the whole batch.
        progress: called with ("train" | "sample" | "score", share done), a few times a second.
        judge: called after every rung but the last with (steps, each seed's quality there); says whether to go on.
            Not called again for a rung that training had left behind when it was interrupted.

    Raises:
        BadInput: see `proxy_spec`.
        Diverged: a loss became infinite or NaN.
        OutOfMemory: what is in memory at once was too much; with a smaller micro-batch it goes on where it was.
    """
    images = min(micro_batch or settings.micro_batch or settings.batch_size, settings.batch_size)
    report = together(throttled(progress), settings.seeds)
    with _threads(settings.threads), _naming_out_of_memory(images):
        bench = Bench(proxy_spec(spec, settings), settings, images)
        runs = [SeedRun(bench, seed + index, folder, partial(report, index)) for index in range(settings.seeds)]
        try:
            rung = _end_rung(runs, settings.rungs, judge)
            finished = [run.finish(rung) for run in runs]
        except Diverged:
            _discard(runs)
            raise
        _write_files(folder, bench, finished)
        _discard(runs)
        return _result(bench, finished, rung, seed)


def _end_rung(runs: Sequence[SeedRun], rungs: Sequence[int], judge: Judge) -> int:
    """The rung at which the judge ends it, trained up to there; or the last."""
    for rung in rungs[:-1]:
        was_passed = any(run.step > rung for run in runs)
        qualities = [run.quality(rung) for run in runs]
        if not was_passed and not judge(rung, qualities):
            return rung
    return rungs[-1]


def _result(bench: Bench, finished: Sequence[Finished], rung: int, seed: int) -> ProxyResult:
    settings, results = bench.settings, tuple(run.result for run in finished)
    qualities = [result.rungs[rung] for result in results]
    label = fid_label(settings.samples, bench.network.name)
    frechet = _mean(result.fid for result in results)
    train_seconds = sum(result.train_seconds for result in results)
    return ProxyResult(
        quality=fmean(qualities),
        quality_label=label if settings.quality == "fid" else VAL_LOSS_LABEL,
        quality_std=stdev(qualities) if len(qualities) > 1 else None,
        val_loss=_mean(result.val_loss for result in results),
        fid=frechet,
        fid_label=None if frechet is None else label,
        rungs={step: fmean(result.rungs[step] for result in results) for step in settings.rungs if step <= rung},
        by_seed=results,
        stopped_at=None if rung == bench.last_rung else rung,
        steps=rung,
        train_seconds=train_seconds,
        sample_seconds=sum(result.sample_seconds for result in results),
        images_per_second=len(results) * rung * settings.batch_size / train_seconds,
        params_m=count(bench.spec).params_m,
        feature_accuracy=bench.network.accuracy,
        architecture=bench.spec.id,
        provenance={
            "torch": torch.__version__,
            "threads": settings.threads or torch.get_num_threads(),
            "micro_batch": bench.micro_batch,
            "data": bench.data.id,
            "seed": seed,
            "cached": [run.result.seed for run in finished if run.is_cached],
            "settings": settings.model_dump(mode="json"),
        },
    )


def _mean(scores: Iterable[float | None]) -> float | None:
    """The mean; None where none was measured."""
    known = [score for score in scores if score is not None]
    return fmean(known) if known else None


def _write_files(folder: Path, bench: Bench, finished: Sequence[Finished]) -> None:
    write_curves(folder / "curve.csv", ((run.result.seed, run.curve) for run in finished))
    end = finished[0].end
    if end is not None:
        grid(end.images, bench.shown, folder / "samples.png")
        with atomic_path(folder / "checkpoint.safetensors") as temporary:
            temporary.write_bytes(save(end.weights))


def _discard(runs: Sequence[SeedRun]) -> None:
    for run in runs:
        run.discard()


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Run the block with this many of torch's threads; None leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _naming_out_of_memory(images: int) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        is_named = isinstance(error, (MemoryError, torch.OutOfMemoryError))
        if not is_named and not any(sign in str(error) for sign in _ALLOCATION_FAILED):
            raise
        raise OutOfMemory(f"out of memory with {images} images at once; try a smaller proxy.micro_batch") from error
