"""One architecture in, its quality out: shrink, train rung by rung, score, draw."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from safetensors.torch import save

from archlab.architecture import UNetSpec
from archlab.checkpoint import CHECKPOINT_SECONDS
from archlab.compute import naming_out_of_memory, torch_threads
from archlab.cost import count
from archlab.data.pictures import grid
from archlab.encoders.fit import fitted
from archlab.evaluation import MeanScore, ProxyResult
from archlab.evaluation.proxy import ScoresByName
from archlab.files import atomic_path
from archlab.progress import Progress, silent, throttled, together
from archlab.proxy.parts import prepare_proxy, proxy_data_and_encoders
from archlab.proxy.run import FinishedRun, SeedRun
from archlab.proxy.settings import ProxySettings
from archlab.proxy.setup import ProxySetup
from archlab.scores.zero_cost import zero_cost
from archlab.training.curve import write_curves
from archlab.training.training import Diverged

GoesOnAtRung = Callable[[int, Sequence[float]], bool]


def proxy_spec(spec: UNetSpec, settings: ProxySettings) -> UNetSpec:
    """The architecture shrunk to ``settings.scale``, with the latents' channels and the text encoder's context.

    Raises:
        BadInput: see `archlab.encoders.fit.fitted` and `data_with_encoders`.
    """
    _, codec, text = proxy_data_and_encoders(settings)
    scale = settings.scale
    return fitted(spec, codec, text, width=scale.width, sample_size=scale.sample_size, heads=scale.heads)


def make_ready(baseline: UNetSpec, settings: ProxySettings, progress: Progress = silent) -> ProxySetup:
    """Read and encode the data and train its attribute classifier: then the cache has what a study's proxies share.

    Returns:
        What the baseline's own proxy would be trained on and judged by.

    Args:
        baseline: the target architecture, not yet shrunk.
        progress: called with (stage, share done); stages are ``images``, ``encode`` and ``reference``.

    Raises:
        BadInput: with these settings no proxy can be trained or scored.
    """
    prepare_proxy(settings, progress)
    spec = proxy_spec(baseline, settings)
    return ProxySetup(spec, settings, settings.batch_size, spec, throttled(progress))


def always(_steps: int, _qualities: Sequence[float]) -> bool:
    """Stops nothing."""
    return True


def evaluate_proxy(
    spec: UNetSpec,
    settings: ProxySettings,
    folder: Path,
    *,
    baseline: UNetSpec | None = None,
    seed: int = 0,
    micro_batch: int | None = None,
    progress: Progress = silent,
    goes_on: GoesOnAtRung = always,
    until: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> ProxyResult:
    """Train the proxy of ``spec`` rung by rung, all seeds in step, draw from it, and say how good it is.

    Writes ``curve.csv`` (seed, step, loss, seconds), ``samples.png`` and ``checkpoint.safetensors`` (averaged
    weights, for `build(proxy_spec(...))`) into ``folder``; the last two are the first seed's, and a training that is
    stopped or paused leaves neither. Called again after it was interrupted or paused, it goes on from the state that it
    left there, bit for bit. Seeds that an earlier evaluation trained are not trained again.

    Args:
        spec: the target architecture, not yet shrunk.
        baseline: likewise; for ``init: inherit`` and ``distill``, whose proxy is trained first where no earlier
            evaluation has done it.
        seed: of the first training run; ``settings.seeds`` runs have this seed and those after it.
        micro_batch: how many images are in memory at once; absent: as the settings have it, or the whole batch.
        progress: called with (stage, share done), a few times a second; stages are ``images``, ``encode``,
            ``reference``, ``train the baseline``, ``train``, ``sample`` and ``score``.
        goes_on: called after every rung but the last with (steps, each seed's quality there); says whether to go on.
            Not called again for a rung that training had left behind when it was interrupted.
        until: pause at this rung: its state stays in ``folder``, and another call with a later rung goes on from
            there. Absent: train until ``goes_on`` stops it, or to the last rung.
        checkpoint_seconds: how often the state is written between rungs.

    Raises:
        BadInput: see `proxy_spec`; or a baseline is needed and there is none.
        Diverged: a loss or a score became infinite or NaN.
        RunFailed: the baseline's training did.
        OutOfMemory: what is in memory at once was too much; with a smaller micro-batch it goes on where it was.
    """
    images = min(micro_batch or settings.micro_batch or settings.batch_size, settings.batch_size)
    throttle = throttled(progress)
    report = together(throttle, settings.seeds)
    with torch_threads(settings.threads), naming_out_of_memory(images):
        parent = None if baseline is None else proxy_spec(baseline, settings)
        setup = ProxySetup(proxy_spec(spec, settings), settings, images, parent, throttle, checkpoint_seconds)
        runs = [SeedRun(setup, seed + index, folder, partial(report, index)) for index in range(settings.seeds)]
        try:
            rung = _end_rung(runs, settings.rungs, goes_on, until)
            finished = [run.finish(rung) for run in runs]
        except Diverged:
            _discard(runs)
            raise
        _write_files(folder, setup, finished)
        if rung != until or rung == setup.last_rung:
            _discard(runs)
        return _result(setup, finished, rung, seed)


def _end_rung(runs: Sequence[SeedRun], rungs: Sequence[int], goes_on: GoesOnAtRung, until: int | None) -> int:
    """The rung from which it does not go on, or where it is paused, trained up to there; or the last."""
    for rung in rungs[:-1]:
        was_passed = any(run.step > rung for run in runs)
        qualities = [run.quality(rung).value for run in runs]
        if rung == until or (not was_passed and not goes_on(rung, qualities)):
            return rung
    return rungs[-1]


def _result(setup: ProxySetup, finished: Sequence[FinishedRun], rung: int, seed: int) -> ProxyResult:
    settings, results = setup.settings, tuple(run.result for run in finished)
    qualities = [run.quality.value for run in finished]
    scores = _means([result.scores[rung] for result in results])
    train_seconds = sum(result.train_seconds for result in results)
    return ProxyResult(
        quality=fmean(qualities),
        quality_label=finished[0].quality.label,
        quality_error=_mean(run.quality.error for run in finished),
        quality_std=stdev(qualities) if len(qualities) > 1 else None,
        rungs={step: fmean(result.rungs[step] for result in results) for step in settings.rungs if step <= rung},
        scores=scores,
        val_loss=_mean(result.val_loss for result in results),
        fid=_mean(result.fid for result in results),
        fid_label=scores["fid"].label if "fid" in scores else None,
        by_seed=results,
        stopped_at=None if rung == setup.last_rung else rung,
        steps=rung,
        train_seconds=train_seconds,
        score_seconds=sum(result.score_seconds for result in results),
        images_per_second=len(results) * rung * settings.batch_size / train_seconds,
        params_m=count(setup.spec).params_m,
        reader_accuracy=setup.scorer.reader_accuracy,
        zero_cost=zero_cost(setup.spec, setup.prepared, settings) if settings.zero_cost else {},
        architecture=setup.spec.id,
        provenance=_provenance(setup, finished, seed),
    )


def _provenance(setup: ProxySetup, finished: Sequence[FinishedRun], seed: int) -> dict[str, Any]:
    return {
        "torch": torch.__version__,
        "device": setup.device.type,
        "threads": setup.settings.threads or torch.get_num_threads(),
        "micro_batch": setup.micro_batch,
        "data": setup.prepared.id,
        "seed": seed,
        "cached": [run.result.seed for run in finished if run.is_cached],
        "baseline": setup.baseline_id,
        "inherited": finished[0].inherited,
        "settings": setup.settings.model_dump(mode="json"),
    }


def _means(by_seed: Sequence[ScoresByName]) -> dict[str, MeanScore]:
    """Scores of one name are one with their mean value and their mean error."""
    return {
        name: MeanScore(
            label=score.label,
            value=_mean(scores[name].value for scores in by_seed),
            error=_mean(scores[name].error for scores in by_seed),
        )
        for name, score in by_seed[0].items()
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _write_files(folder: Path, setup: ProxySetup, finished: Sequence[FinishedRun]) -> None:
    write_curves(folder / "curve.csv", ((run.result.seed, run.curve) for run in finished))
    end = finished[0].end
    if end is not None:
        grid(end.images, setup.shown, folder / "samples.png")
        with atomic_path(folder / "checkpoint.safetensors") as temporary:
            temporary.write_bytes(save(end.weights))


def _discard(runs: Sequence[SeedRun]) -> None:
    for run in runs:
        run.discard()
