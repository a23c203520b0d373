"""One architecture in, its quality out: shrink, train, score, draw."""

import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from io import StringIO
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from archlab.architecture import ArchitectureError, UNetSpec
from archlab.errors import BadInput
from archlab.files import atomic_path, write_text
from archlab.proxy.data import load_data
from archlab.proxy.features import feature_network
from archlab.proxy.sample import generate, grid
from archlab.proxy.score import ValidationLoss, balanced_prompts, fid, fid_label
from archlab.proxy.text import CONTEXT_DIM, CONTEXT_LENGTH
from archlab.proxy.train import CurveRow, Diverged, Trained, train
from archlab.space.settings import ProxySettings

Progress = Callable[[str, float], None]

VAL_LOSS_LABEL = "val_loss"
_GRID_COLUMNS = 8
_REPORT_SECONDS = 0.2
_SAMPLING_SEED = 0


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One training run's scores; ``rungs`` has the validation loss at each rung."""

    seed: int
    val_loss: float
    fid: float
    rungs: dict[int, float]
    train_seconds: float


@dataclass(frozen=True, kw_only=True)
class ProxyResult:
    """Quality of one architecture, judged by its proxy. Lower is better for every score.

    Attributes:
        quality, quality_label: the metric that the settings chose, and what it is.
        quality_std: its sample standard deviation over the seeds; None for one seed.
        val_loss, fid, rungs: means over the seeds; ``rungs`` has the validation loss at each rung.
        by_seed: every seed's own values.
        steps: optimiser steps of one training run.
        train_seconds, sample_seconds: all seeds together.
        images_per_second: images trained on.
        params_m: of the proxy, in millions.
        feature_accuracy: validation accuracy of the network whose features FID compares.
        architecture: content hash of the proxy's spec.
        provenance: torch version, threads, data id, first seed, settings.
    """

    quality: float
    quality_label: str
    quality_std: float | None
    val_loss: float
    fid: float
    fid_label: str
    rungs: dict[int, float]
    by_seed: tuple[SeedResult, ...]
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


def evaluate_proxy(
    spec: UNetSpec,
    settings: ProxySettings,
    folder: Path,
    *,
    seed: int = 0,
    progress: Progress = lambda _stage, _share: None,
) -> ProxyResult:
    """Train the proxy of ``spec``, score it at every rung, draw from it, and say how good it is.

    Writes ``curve.csv`` (seed, step, loss, seconds), ``samples.png`` and ``checkpoint.safetensors`` (averaged
    weights, for `build(proxy_spec(...))`) into ``folder``; the last two are the first seed's.

    Args:
        spec: the target architecture, not yet shrunk.
        seed: of the first training run; ``settings.seeds`` runs have this seed and those after it.
        progress: called with ("train" | "sample" | "score", share done), a few times a second.

    Raises:
        BadInput: see `proxy_spec`.
        Diverged: a loss became infinite or NaN.
    """
    small = proxy_spec(spec, settings)
    bench = _Bench(small, settings)
    report = _throttled(progress)
    runs = []
    with _threads(settings.threads):
        for index in range(settings.seeds):

            def report_share(stage: str, share: float, done: int = index) -> None:
                report(stage, (done + share) / settings.seeds)

            runs.append(bench.run(seed + index, report_share))
    _write_files(folder, runs)
    results = tuple(run.result for run in runs)
    val_loss, frechet = fmean(r.val_loss for r in results), fmean(r.fid for r in results)
    label = fid_label(settings.samples, bench.network.name)
    qualities = [r.fid if settings.quality == "fid" else r.val_loss for r in results]
    steps = settings.rungs[-1]
    train_seconds = sum(r.train_seconds for r in results)
    return ProxyResult(
        quality=fmean(qualities),
        quality_label=label if settings.quality == "fid" else VAL_LOSS_LABEL,
        quality_std=stdev(qualities) if len(qualities) > 1 else None,
        val_loss=val_loss,
        fid=frechet,
        fid_label=label,
        rungs={rung: fmean(r.rungs[rung] for r in results) for rung in settings.rungs},
        by_seed=results,
        steps=steps,
        train_seconds=train_seconds,
        sample_seconds=sum(run.sample_seconds for run in runs),
        images_per_second=len(runs) * steps * settings.batch_size / train_seconds,
        params_m=sum(p.numel() for p in runs[0].trained.unet.parameters()) / 1e6,
        feature_accuracy=bench.network.accuracy,
        architecture=small.id,
        provenance={
            "torch": torch.__version__,
            "threads": settings.threads or torch.get_num_threads(),
            "data": bench.data.id,
            "seed": seed,
            "settings": settings.model_dump(mode="json"),
        },
    )


@dataclass(frozen=True, eq=False)
class _Run:
    """One seed's training run with what it drew."""

    result: SeedResult
    trained: Trained
    prompts: list[str]
    images: Tensor
    sample_seconds: float


class _Bench:
    """What all runs of one architecture are trained on and judged by."""

    def __init__(self, spec: UNetSpec, settings: ProxySettings) -> None:
        self.spec, self.settings = spec, settings
        self.data = load_data(settings.data, settings.scale.sample_size)
        self.network = feature_network(settings.data)
        self.validation_loss = ValidationLoss(self.data)
        self.prompts = balanced_prompts(self.data.prompts, settings.samples)

    def run(self, seed: int, report: Progress) -> _Run:
        settings = self.settings
        trained = train(
            self.spec,
            self.data,
            settings,
            seed=seed,
            score=self.validation_loss,
            progress=partial(report, "train"),
        )
        started = time.perf_counter()
        images = generate(
            trained.unet,
            self.prompts,
            self.data.images.shape[1:],
            steps=settings.sampling_steps,
            guidance=settings.guidance,
            seed=_SAMPLING_SEED,
            progress=partial(report, "sample"),
        )
        sample_seconds = time.perf_counter() - started
        if not images.isfinite().all():
            raise Diverged(settings.rungs[-1], "it draws infinite or NaN pixels")
        score = fid(images, self.data, self.network)
        report("score", 1.0)
        result = SeedResult(
            seed=seed,
            val_loss=trained.rungs[settings.rungs[-1]],
            fid=score.value,
            rungs=trained.rungs,
            train_seconds=trained.seconds,
        )
        return _Run(result, trained, self.prompts, images, sample_seconds)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """Run the block with this many of torch's threads; None leaves them as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _write_files(folder: Path, runs: Sequence[_Run]) -> None:
    table = StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("seed", *CurveRow._fields))
    for run in runs:
        writer.writerows((run.result.seed, *row) for row in run.trained.curve)
    write_text(folder / "curve.csv", table.getvalue())
    first = runs[0]
    shown = len(dict.fromkeys(first.prompts)) * _GRID_COLUMNS
    grid(first.images[:shown], first.prompts[:shown], folder / "samples.png")
    with atomic_path(folder / "checkpoint.safetensors") as temporary:
        save_file(first.trained.unet.state_dict(), temporary)


def _throttled(progress: Progress) -> Progress:
    """Passes on what begins or ends a stage, and otherwise a few calls a second."""
    last = ("", -math.inf)

    def report(stage: str, share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if stage != last[0] or share >= 1 or now - last[1] >= _REPORT_SECONDS:
            last = (stage, now)
            progress(stage, share)

    return report
