"""The one place where a proxy is scored: at a rung by its quality, at the end by everything."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from archlab.diffusion.process import AT_ONCE
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.errors import BadInput
from archlab.evaluation import Score
from archlab.progress import Progress, ShareDone, silent, silent_share
from archlab.scores.images import ImageScorer, what_metrics_lack
from archlab.scores.score import Scores
from archlab.scores.settings import JudgeSettings, ScoreSettings
from archlab.scores.validation import ValidationLoss

Draw = Callable[[Sequence[str], int, ShareDone], Tensor]  # prompts, sampling steps, progress → images [N, C, H, W]

_CPU = torch.device("cpu")


class Scorer:
    """Scores proxies of one data set: always on the same prompts, noise and validation images.

    Args:
        sampling_steps: of the images that are scored at rungs, and whose scores have no number of steps in their names.
        device: of networks from paths.
        at_once: images that are in memory at once.
        progress: called, as the stage ``reference``, while an attribute classifier is trained or features of real
            images are computed; both are done once and cached.

    Attributes:
        prompts: what is drawn to be scored.
        too_few_images: what each score that compares images needs more of them for, of those that cannot be had.
        reader_accuracy: balanced accuracy of the data set's attribute classifier on images that it has not seen; None
            where no score needs one.

    Raises:
        BadInput: the settings choose a quality that cannot be had, or name weights that cannot be read.
    """

    def __init__(
        self,
        prepared: Prepared,
        diffusion: DiffusionSettings,
        sampling_steps: int,
        settings: ScoreSettings,
        judges: JudgeSettings,
        device: torch.device = _CPU,
        at_once: int = AT_ONCE,
        progress: Progress = silent,
    ) -> None:
        self._settings, self._sampling_steps = settings, sampling_steps
        if missing := what_metrics_lack(prepared.data, settings.samples, judges).get(settings.quality):
            raise BadInput(f"quality: {settings.quality} {missing}")
        self._validation = ValidationLoss(prepared, diffusion, at_once)
        self._images = ImageScorer(prepared.data, settings.samples, judges, device, progress)
        self.prompts, self.too_few_images = self._images.prompts, self._images.too_few_images

    @property
    def id(self) -> str:
        """Of the weights that its scores depend on; the settings name no more than their paths."""
        return self._images.id

    @property
    def reader_accuracy(self) -> float | None:
        return self._images.reader_accuracy

    @property
    def draws_at_rungs(self) -> bool:
        """Whether what is drawn is scored there."""
        return self._settings.quality != "val_loss" or self._settings.score_rungs

    def at_rung(self, network: nn.Module, draw: Draw, progress: ShareDone = silent_share) -> Scores:
        """The quality and what comes with it, or everything where the settings have it so.

        Args:
            draw: from this network.
            progress: called with the share of the drawing that is done.
        """
        if self._settings.score_rungs:
            return self.at_end(network, draw, progress)
        quality = self._settings.quality
        if quality == "val_loss":
            return self._scores(self._validation.scores(network))
        images = draw(self.prompts, self._sampling_steps, progress)
        return self._scores(self._images.scores(images, [quality]))

    def at_end(self, network: nn.Module, draw: Draw, progress: ShareDone = silent_share) -> Scores:
        """Every score there is, of images too with each number of sampling steps; for the arguments see `at_rung`."""
        scores = self._validation.scores(network)
        own = self._sampling_steps
        counts = list(dict.fromkeys([own, *self._settings.score_steps]))
        for index, steps in enumerate(counts):
            report = partial(_part, progress, sum(counts[:index]) / sum(counts), steps / sum(counts))
            at, suffix = ("", "") if steps == own else (f" at {steps} steps", f"_{steps}_steps")
            of_images = self._images.scores(draw(self.prompts, steps, report), at=at)
            scores |= {f"{name}{suffix}": score for name, score in of_images.items()}
        return self._scores(scores)

    def _scores(self, scores: dict[str, Score]) -> Scores:
        return Scores(scores[self._settings.quality].as_quality(self._settings.quality), scores)


def _part(progress: ShareDone, before: float, length: float, share: float) -> None:
    progress(before + length * share)
