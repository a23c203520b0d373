"""The one place where a proxy is scored: at a rung by its quality, at the end by everything."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from archlab.data.captioned import CaptionedImages
from archlab.diffusion.process import AT_ONCE
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.errors import BadInput
from archlab.evaluation import Score
from archlab.progress import Progress, ShareDone, silent, silent_share
from archlab.scores.attribute_classifier import AttributeClassifier, load_classifier
from archlab.scores.clip_score import ClipScore
from archlab.scores.metrics import METRICS
from archlab.scores.metrics.metric import Conditions, DrawnImages, FeatureMetric, Judges
from archlab.scores.reference import compared_with
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
        self._settings, self._sampling_steps, data = settings, sampling_steps, prepared.data
        lacks = _lacks(settings, judges, data)
        self._metrics = [name for name, missing in lacks.items() if missing is None]
        self.too_few_images = {
            name: missing for name, missing in lacks.items() if missing and isinstance(METRICS[name], FeatureMetric)
        }
        self._validation = ValidationLoss(prepared, diffusion, at_once)
        self.prompts, self._facts = data.prompts_to_draw(settings.samples)
        extractor, real = compared_with(data, judges.extractor, device, progress)
        classifier = extractor if isinstance(extractor, AttributeClassifier) else None
        if classifier is None and data.attributes:
            classifier = load_classifier(data, progress)
        clip = None if judges.clip is None else ClipScore(judges.clip, device)
        self._judges = Judges(extractor, real, classifier, clip)

    @property
    def id(self) -> str:
        """Of the weights that its scores depend on; the settings name no more than their paths."""
        clip = self._judges.clip
        return f"{self._judges.extractor.id}-{None if clip is None else clip.id}"

    @property
    def reader_accuracy(self) -> float | None:
        classifier = self._judges.classifier
        return None if classifier is None else classifier.accuracy

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
        return self._scores(self._of_images(images, [quality]))

    def at_end(self, network: nn.Module, draw: Draw, progress: ShareDone = silent_share) -> Scores:
        """Every score there is, of images too with each number of sampling steps; for the arguments see `at_rung`."""
        scores = self._validation.scores(network)
        own = self._sampling_steps
        counts = list(dict.fromkeys([own, *self._settings.score_steps]))
        for index, steps in enumerate(counts):
            report = partial(_part, progress, sum(counts[:index]) / sum(counts), steps / sum(counts))
            at, suffix = ("", "") if steps == own else (f" at {steps} steps", f"_{steps}_steps")
            of_images = self._of_images(draw(self.prompts, steps, report), self._metrics, at)
            scores |= {f"{name}{suffix}": score for name, score in of_images.items()}
        return self._scores(scores)

    def _scores(self, scores: dict[str, Score]) -> Scores:
        return Scores(scores[self._settings.quality].as_quality(self._settings.quality), scores)

    def _of_images(self, images: Tensor, wanted: Sequence[str], at: str = "") -> dict[str, Score]:
        drawn = DrawnImages(images, self.prompts, self._facts, self._judges)
        scores = {}
        for name in wanted:
            metric = METRICS[name]
            label = f"{name}@{len(images)}{at} ({metric.judge(self._judges)})"
            scores[name] = Score(label, *metric.score(drawn))
        return scores


def _lacks(settings: ScoreSettings, judges: JudgeSettings, data: CaptionedImages) -> dict[str, str | None]:
    """What each metric of images lacks with these settings and data.

    Raises:
        BadInput: the quality is not among them.
    """
    conditions = Conditions(data, settings.samples, has_clip=judges.clip is not None)
    lacks = {name: METRICS[name].lacks(conditions) for name in METRICS.names}
    if missing := lacks.get(settings.quality):
        raise BadInput(f"proxy.quality: {settings.quality} {missing}")
    return lacks


def _part(progress: ShareDone, before: float, length: float, share: float) -> None:
    progress(before + length * share)
