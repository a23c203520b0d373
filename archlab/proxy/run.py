"""One seed's training run: to a rung, scored there, put down at any moment and taken up again."""

import time
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.proxy.cache import End, Known, keep_training, known_training, training_id
from archlab.proxy.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from archlab.proxy.curve import CurveRow
from archlab.proxy.data import load_data
from archlab.proxy.diffusion import AT_ONCE
from archlab.proxy.features import feature_network
from archlab.proxy.progress import Progress
from archlab.proxy.sample import generate
from archlab.proxy.score import ValidationLoss, balanced_prompts, fid
from archlab.proxy.train import Diverged, Training, finite
from archlab.space.settings import ProxySettings

CHECKPOINT_SECONDS = 20.0
GRID_COLUMNS = 8
_SAMPLING_SEED = 0


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """One training run's scores; what was not measured is None.

    Attributes:
        val_loss, fid: at the last rung; of a run that was stopped, at that rung the one that is its quality.
        rungs: the quality at each rung.
        train_seconds: in training steps alone, without scoring.
    """

    seed: int
    val_loss: float | None
    fid: float | None
    rungs: dict[int, float]
    train_seconds: float
    sample_seconds: float


@dataclass(frozen=True, eq=False)
class Finished:
    """A run that came to its end or was stopped at a rung.

    Attributes:
        end: None where it was stopped.
        is_cached: whether all of it was known from an earlier evaluation.
    """

    result: SeedResult
    curve: list[CurveRow]
    end: End | None
    is_cached: bool


class Bench:
    """What all runs of one proxy are trained on and judged by.

    Attributes:
        at_once: images that are scored or drawn at once; where memory is short for training, it is for that, too.
    """

    def __init__(self, spec: UNetSpec, settings: ProxySettings, micro_batch: int) -> None:
        self.spec, self.settings, self.micro_batch = spec, settings, micro_batch
        self.data = load_data(settings.data, settings.scale.sample_size)
        self.network = feature_network(settings.data)
        self.at_once = min(AT_ONCE, micro_batch) if micro_batch < settings.batch_size else AT_ONCE
        self.validation_loss = ValidationLoss(self.data, self.at_once)
        self.prompts = balanced_prompts(self.data.prompts, settings.samples)

    @property
    def last_rung(self) -> int:
        """Optimiser steps of a run that is not stopped."""
        return self.settings.rungs[-1]

    @property
    def shown(self) -> list[str]:
        """Prompts of the first images, those that are kept to look at."""
        return self.prompts[: len(self.data.prompts) * GRID_COLUMNS]

    def share_drawn(self, rung: int, share: float) -> float:
        """How much of a run's drawing is done with this share of a rung's: it draws at every rung, or at the last."""
        rungs = self.settings.rungs if self.settings.quality == "fid" else (self.last_rung,)
        return (rungs.index(rung) + share) / len(rungs)


class SeedRun:
    """A training run with its scores. What the cache knows of it is not computed again.

    Its state is in ``folder`` at every rung and every `CHECKPOINT_SECONDS`; a new one with the same arguments goes on
    from there.
    """

    def __init__(self, bench: Bench, seed: int, folder: Path, report: Progress) -> None:
        self._bench, self._seed, self._report = bench, seed, report
        self._path = folder / f"training-{seed}.safetensors"
        self._id = training_id(bench.spec, bench.settings, bench.data.id, seed)
        self._known = known_training(self._id)
        self._rungs, self._sample_seconds = dict(self._known.rungs), self._known.sample_seconds
        self._end = self._known.end
        self._drawn: tuple[int, Tensor] | None = None
        self._training = Training(bench.spec, bench.data, bench.settings, seed=seed, micro_batch=bench.micro_batch)
        self._take_up()

    @property
    def step(self) -> int:
        """How many steps were made for this evaluation; fewer than were scored where an earlier one is known."""
        return self._training.step

    def quality(self, rung: int) -> float:
        """The score at a rung by the metric that the settings chose; trains up to there where it is not known.

        Raises:
            Diverged: the loss or the score is infinite or NaN.
        """
        if rung in self._rungs:
            self._report("train", rung / self._bench.last_rung)
        else:
            self._train(rung)
            self._rungs[rung] = self._score(rung)
            self._save()
        return self._rungs[rung]

    def finish(self, rung: int) -> Finished:
        """What came out at the rung where the run ends, the last or an earlier one; kept for later evaluations.

        Raises:
            Diverged: see `quality`.
        """
        quality = self.quality(rung)
        if rung == self._bench.last_rung and self._end is None:
            self._end = self._come_to_end(rung, quality)
        if self.step > len(self._known.curve):
            keep_training(self._id, Known(self._rungs, self._training.curve, self._sample_seconds, self._end))
        end = self._end if rung == self._bench.last_rung else None
        scores = {self._bench.settings.quality: quality} if end is None else {"val_loss": end.val_loss, "fid": end.fid}
        curve = max(self._known.curve, self._training.curve, key=len)[:rung]
        result = SeedResult(
            seed=self._seed,
            val_loss=scores.get("val_loss"),
            fid=scores.get("fid"),
            rungs={step: score for step, score in self._rungs.items() if step <= rung},
            train_seconds=curve[-1].seconds,
            sample_seconds=self._sample_seconds,
        )
        return Finished(result, list(curve), end, is_cached=self.step < rung)

    def discard(self) -> None:
        """Delete the state that it would go on from, and what a kill left of writing it."""
        for path in (self._path, *self._path.parent.glob(f".{self._path.stem}.*")):
            path.unlink(missing_ok=True)

    def _train(self, rung: int) -> None:
        saved = time.monotonic()

        def after_step() -> None:
            nonlocal saved
            self._report("train", self.step / self._bench.last_rung)
            if time.monotonic() - saved >= CHECKPOINT_SECONDS:
                self._save()
                saved = time.monotonic()

        self._training.run(rung, after_step)

    def _score(self, rung: int) -> float:
        if self._bench.settings.quality == "fid":
            return self._frechet(rung)
        return self._validation_loss(rung)

    def _come_to_end(self, rung: int, quality: float) -> End:
        """Measures whichever score is not the quality, too."""
        is_fid = self._bench.settings.quality == "fid"
        return End(
            val_loss=self._validation_loss(rung) if is_fid else quality,
            fid=quality if is_fid else self._frechet(rung),
            images=self._images(rung)[: len(self._bench.shown)],
            weights=self._training.network.state_dict(),
        )

    def _validation_loss(self, rung: int) -> float:
        return finite(self._bench.validation_loss(self._training.network), rung)

    def _frechet(self, rung: int) -> float:
        score = fid(self._images(rung), self._bench.data, self._bench.network)
        self._report("score", self._bench.share_drawn(rung, 1.0))
        return score.value

    def _images(self, rung: int) -> Tensor:
        """What the network draws as it stands, at ``rung``."""
        if self._drawn is None or self._drawn[0] != rung:
            self._drawn = rung, self._draw(rung)
        return self._drawn[1]

    def _draw(self, rung: int) -> Tensor:
        settings, started = self._bench.settings, time.perf_counter()
        images = generate(
            self._training.network,
            self._bench.prompts,
            self._bench.data.images.shape[1:],
            steps=settings.sampling_steps,
            guidance=settings.guidance,
            seed=_SAMPLING_SEED,
            at_once=self._bench.at_once,
            progress=lambda share: self._report("sample", self._bench.share_drawn(rung, share)),
        )
        self._sample_seconds += time.perf_counter() - started
        if not images.isfinite().all():
            raise Diverged(rung, "it draws infinite or NaN pixels")
        return images

    def _save(self) -> None:
        reached = [(rung, quality) for rung, quality in self._rungs.items() if rung <= self.step]
        facts = {"rungs": reached, "sample_seconds": self._sample_seconds}
        write_checkpoint(self._path, self._id, Checkpoint(self._training.state(), facts))

    def _take_up(self) -> None:
        found = read_checkpoint(self._path, self._id)
        if found is not None:
            self._training.load_state(found.tensors)
            self._rungs |= dict(found.facts["rungs"])
            self._sample_seconds = max(self._sample_seconds, found.facts["sample_seconds"])
