"""The one place where a proxy is scored: at a rung by its quality, at the end by everything."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from torch import Tensor, nn

from archlab.diffusion.process import AT_ONCE
from archlab.encoders.prepare import Prepared, device_of
from archlab.errors import BadInput
from archlab.evaluation import Score
from archlab.progress import Progress
from archlab.proxy_settings import ProxySettings
from archlab.scores.attribute_classifier import Reader, reader
from archlab.scores.clip_score import ClipScore
from archlab.scores.metrics import LEAST_IMAGES, METRICS
from archlab.scores.reference import compared_with
from archlab.scores.resampling import Estimate, ratio
from archlab.scores.score import Scores
from archlab.scores.validation import ValidationLoss

Share = Callable[[float], None]
Draw = Callable[[Sequence[str], int, Share], Tensor]  # prompts, sampling steps, progress → images [N, C, H, W]

LEAST_ACCURACY = 0.9  # of a reader whose readings need no remark


class Scorer:
    """Scores proxies of one data set: always on the same prompts, noise and validation images.

    Args:
        at_once: images that are in memory at once.
        progress: told, as the stage ``reference``, while a reader is trained or features of real images are computed;
            both are done once and kept in the cache.

    Attributes:
        prompts: what is drawn to be scored.
        reader_accuracy: balanced accuracy of the data set's reader on images that it has not seen; None where no score
            needs one.

    Raises:
        BadInput: the settings choose a quality that cannot be had, or name weights that cannot be read.
    """

    def __init__(
        self,
        prepared: Prepared,
        settings: ProxySettings,
        at_once: int = AT_ONCE,
        progress: Progress = lambda _stage, _share: None,
    ) -> None:
        self._settings, data = settings, prepared.data
        self._metrics = _available(settings, has_attributes=bool(data.attributes), name=data.name)
        self._validation = ValidationLoss(prepared, settings, at_once)
        self.prompts, self._facts = data.prompts_to_draw(settings.samples)
        device = device_of(settings)
        self._extractor, self._reference = compared_with(data, settings.extractor, device, progress)
        self._reader = self._extractor if isinstance(self._extractor, Reader) else None
        if self._reader is None and data.attributes:
            self._reader = reader(data, progress)
        self._clip = None if settings.clip is None else ClipScore(settings.clip, device)

    @property
    def id(self) -> str:
        """Of the weights that its scores depend on; the settings name no more than their paths."""
        return f"{self._extractor.id}-{None if self._clip is None else self._clip.id}"

    @property
    def reader_accuracy(self) -> float | None:
        return None if self._reader is None else self._reader.accuracy

    @property
    def draws_at_rungs(self) -> bool:
        """Whether what is drawn is scored there."""
        return self._settings.quality != "val_loss" or self._settings.score_rungs

    def at_rung(self, network: nn.Module, draw: Draw, progress: Share = lambda _: None) -> Scores:
        """The quality and what comes with it, or everything where the settings have it so.

        Args:
            draw: from this network.
            progress: told the share of the drawing that is done.
        """
        if self._settings.score_rungs:
            return self.at_end(network, draw, progress)
        quality = self._settings.quality
        if quality == "val_loss":
            return self._scores(self._validation.scores(network))
        images = draw(self.prompts, self._settings.sampling_steps, progress)
        return self._scores(self._of_images(images, [quality]))

    def at_end(self, network: nn.Module, draw: Draw, progress: Share = lambda _: None) -> Scores:
        """Every score there is, of images too with each number of sampling steps; for the arguments see `at_rung`."""
        found = self._validation.scores(network)
        own = self._settings.sampling_steps
        counts = list(dict.fromkeys([own, *self._settings.score_steps]))
        for index, steps in enumerate(counts):
            report = partial(_part, progress, sum(counts[:index]) / sum(counts), steps / sum(counts))
            at, suffix = ("", "") if steps == own else (f" at {steps} steps", f"_{steps}_steps")
            scores = self._of_images(draw(self.prompts, steps, report), self._metrics, at)
            found |= {f"{name}{suffix}": score for name, score in scores.items()}
        return self._scores(found)

    def _scores(self, found: dict[str, Score]) -> Scores:
        return Scores(found[self._settings.quality].as_quality(self._settings.quality), found)

    def _of_images(self, images: Tensor, wanted: Sequence[str], at: str = "") -> dict[str, Score]:
        what, found = f"@{len(images)}{at}", {}
        if compared := [name for name in wanted if name in METRICS]:
            drawn = self._extractor.features(images).double().numpy()
            for name in compared:
                label = f"{name}{what} ({self._extractor.name})"
                found[name] = Score(label, *METRICS[name](drawn, self._reference))
        if "adherence" in wanted and self._reader is not None:
            label = f"adherence{what} ({_described(self._reader)})"
            found["adherence"] = Score(label, *adherence(self._reader.read(images), self._facts))
        if "clip_score" in wanted and self._clip is not None:
            similarity = self._clip(images, self.prompts).double().numpy()
            label = f"clip_score{what} ({self._clip.name})"
            found["clip_score"] = Score(label, *ratio(similarity, np.ones_like(similarity)))
        return found


def adherence(readings: Tensor, facts: Tensor) -> Estimate:
    """The share of stated facts that are read off the images.

    Args:
        readings: int64 [N, A].
        facts: what each image's prompt states: int64 [N, A], -1 where it says nothing.
    """
    stated = facts >= 0
    right = (readings == facts) & stated
    return ratio(right.sum(1).double().numpy(), stated.sum(1).double().numpy())


def _available(settings: ProxySettings, *, has_attributes: bool, name: str) -> list[str]:
    """The metrics of images that these settings and data allow.

    Raises:
        BadInput: the quality is not among them.
    """
    few = {metric: least for metric, least in LEAST_IMAGES.items() if settings.samples < least}
    missing = {metric: f"needs proxy.samples of at least {least}" for metric, least in few.items()}
    if not has_attributes:
        missing["adherence"] = f"needs to know what the captions state, as with digits or shapes, not {name}"
    if settings.clip is None:
        missing["clip_score"] = "needs proxy.clip, a transformers folder with CLIP"
    if settings.quality in missing:
        raise BadInput(f"proxy.quality: {settings.quality} {missing[settings.quality]}")
    return [metric for metric in (*METRICS, "adherence", "clip_score") if metric not in missing]


def _described(judge: Reader) -> str:
    """Its name; how often it is right, where that is not nearly always."""
    if judge.accuracy is None or judge.accuracy >= LEAST_ACCURACY:
        return judge.name
    return f"{judge.name}, which is right on only {judge.accuracy:.0%} of values"


def _part(progress: Share, before: float, length: float, share: float) -> None:
    progress(before + length * share)
