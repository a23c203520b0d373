"""One seed's training run: to a rung, scored there, put down at any moment and taken up again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from archlab.checkpoint import Checkpoint, now_and_then, read_checkpoint, write_checkpoint
from archlab.evaluation import Score, SeedResult
from archlab.progress import Progress
from archlab.proxy.cache import CachedTraining, FinalNetwork, read_training, rung_facts, rungs_of, write_training
from archlab.proxy.setup import ProxySetup
from archlab.scores.score import Scores
from archlab.training.curve import CurveRow
from archlab.training.training import Diverged, Training, finite


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run that came to its end or was stopped at a rung.

    Attributes:
        quality: at that rung.
        inherited: what it began with, if with a baseline's weights.
        end: None where it was stopped.
        is_cached: whether all of it came from an earlier evaluation.
    """

    result: SeedResult
    quality: Score
    curve: list[CurveRow]
    inherited: dict[str, Any] | None
    end: FinalNetwork | None
    is_cached: bool


class SeedRun:
    """A training run with its scores. What the cache has of it is not computed again.

    Its state is in ``folder`` at every rung and every few seconds; a new one with the same arguments goes on from
    there.

    Attributes:
        step: how many steps were made for this evaluation; fewer than were scored where an earlier one is cached.
    """

    def __init__(self, setup: ProxySetup, seed: int, folder: Path, report: Progress) -> None:
        self._setup, self._seed, self._report = setup, seed, report
        self._path = folder / f"training-{seed}.safetensors"
        self._id = setup.identity(seed)
        self._cached, self._state = read_training(self._id), read_checkpoint(self._path, self._id)
        self._rungs, self._score_seconds = dict(self._cached.rungs), self._cached.score_seconds
        self._inherited, self._end = self._cached.inherited, self._cached.end
        self.step = 0
        if self._state is not None:
            self._rungs |= rungs_of(self._state.facts)
            self._score_seconds = max(self._score_seconds, self._state.facts["score_seconds"])
            self.step = len(self._state.tensors["curve"])

    def quality(self, rung: int) -> Score:
        """The score at a rung by the metric that the settings chose; trains up to there where none is cached.

        Raises:
            Diverged: the loss or the score is infinite or NaN.
        """
        if rung in self._rungs:
            self._report("train", rung / self._setup.last_rung)
        else:
            self._train(rung)
            self._rungs[rung] = self._score(rung)
            self._save()
        return self._rungs[rung].quality

    def finish(self, rung: int) -> FinishedRun:
        """What came out at the rung where the run ends, the last or an earlier one; cached for later evaluations.

        Raises:
            Diverged: see `quality`.
        """
        quality = self.quality(rung)
        if rung == self._setup.last_rung and self._end is None:
            self._score(rung)  # killed after that rung was scored
        curve = self._cached.curve
        if self.step > len(curve):
            curve = self._training.curve
            write_training(
                self._id, CachedTraining(self._rungs, curve, self._score_seconds, self._inherited, self._end)
            )
        end = self._end if rung == self._setup.last_rung else None
        scored = {step: scores for step, scores in self._rungs.items() if step <= rung}
        measured = {name: score.value for name, score in scored[rung].by_name.items()}
        result = SeedResult(
            seed=self._seed,
            val_loss=measured.get("val_loss"),
            fid=measured.get("fid"),
            rungs={step: scores.quality.value for step, scores in scored.items()},
            scores={step: scores.by_name for step, scores in scored.items()},
            train_seconds=curve[rung - 1].seconds,
            score_seconds=self._score_seconds,
        )
        return FinishedRun(result, quality, list(curve[:rung]), self._inherited, end, is_cached=self.step < rung)

    def discard(self) -> None:
        """Delete the state that it would go on from, and what a kill left of writing it."""
        for path in (self._path, *self._path.parent.glob(f".{self._path.stem}.*")):
            path.unlink(missing_ok=True)

    @cached_property
    def _training(self) -> Training:
        """Begun, or taken up where the state was saved, when it is first needed."""
        training, self._inherited = self._setup.training(self._seed)
        if self._state is not None:
            training.load_state(self._state.tensors)
            self._state = None
        return training

    def _train(self, rung: int) -> None:
        save = now_and_then(self._save, self._setup.checkpoint_seconds)

        def after_step() -> None:
            self.step = self._training.step
            self._report("train", self.step / self._setup.last_rung)
            save()

        self._training.run(rung, after_step)

    def _score(self, rung: int) -> Scores:
        started = time.perf_counter()
        if rung == self._setup.last_rung:
            scores = self._score_all()
        else:
            report = partial(self._report_drawing, rung)
            scores = self._setup.scorer.at_rung(self._training.network, self._draw, report)
        self._score_seconds += time.perf_counter() - started
        finite(scores.quality.value, rung, scores.quality.label)
        return scores

    def _score_all(self) -> Scores:
        """Measure everything, and hold on to what it draws and its weights."""
        first: list[Tensor] = []

        def draw(prompts: Sequence[str], steps: int, progress: Callable[[float], None]) -> Tensor:
            images = self._draw(prompts, steps, progress)
            first.append(images[: len(self._setup.shown)])
            return images

        network, rung = self._training.network, self._setup.last_rung
        scores = self._setup.scorer.at_end(network, draw, partial(self._report_drawing, rung))
        weights = {name: weight.cpu() for name, weight in network.state_dict().items()}
        self._end = FinalNetwork(first[0], weights)
        self._report("score", 1.0)
        return scores

    def _draw(self, prompts: Sequence[str], steps: int, progress: Callable[[float], None]) -> Tensor:
        """What the network draws as it stands: [N, C, H, W] in [-1, 1].

        Raises:
            Diverged: it draws infinite or NaN pixels.
        """
        images = self._setup.draw(self._training.network, prompts, steps, progress)
        if not images.isfinite().all():
            raise Diverged(self.step, "it draws infinite or NaN pixels")
        return images

    def _report_drawing(self, rung: int, share: float) -> None:
        self._report("sample", self._setup.share_drawn(rung, share))

    def _save(self) -> None:
        scored = {rung: score for rung, score in self._rungs.items() if rung <= self.step}
        facts = {"rungs": rung_facts(scored), "score_seconds": self._score_seconds}
        write_checkpoint(self._path, self._id, Checkpoint(self._training.state(), facts))
