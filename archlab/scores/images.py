"""The one place where drawn images are judged: by every metric that the data and the judges allow."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.evaluation import Score
from archlab.progress import Progress, silent
from archlab.scores.attribute_classifier import AttributeClassifier, load_classifier
from archlab.scores.clip_score import ClipScore
from archlab.scores.metrics import METRICS
from archlab.scores.metrics.metric import Conditions, DrawnImages, FeatureMetric, Judges
from archlab.scores.reference import compared_with
from archlab.scores.settings import JudgeSettings

_CPU = torch.device("cpu")


def what_metrics_lack(data: CaptionedImages, samples: int, judges: JudgeSettings) -> Mapping[str, str | None]:
    """What each metric of images needs and cannot have with these data and judges; None for one that can be had."""
    conditions = Conditions(data, samples, has_clip=judges.clip is not None)
    return {name: METRICS[name].lacks(conditions) for name in METRICS.names}


class ImageScorer:
    """Judges images of one data set's prompts, always the same ones.

    Args:
        samples: how many images are drawn.
        device: of networks from paths.
        progress: called, as the stage ``reference``, while an attribute classifier is trained or features of real
            images are computed; both are done once and cached.

    Attributes:
        prompts: what is drawn, one an image.
        metrics: those that can be had, by name.
        too_few_images: what each score that compares images needs more of them for, of those that cannot be had.

    Raises:
        BadInput: the judges' weights cannot be read.
    """

    def __init__(
        self,
        data: CaptionedImages,
        samples: int,
        judges: JudgeSettings,
        device: torch.device = _CPU,
        progress: Progress = silent,
    ) -> None:
        lacks = what_metrics_lack(data, samples, judges)
        self.metrics = [name for name, missing in lacks.items() if missing is None]
        self.too_few_images = {
            name: missing for name, missing in lacks.items() if missing and isinstance(METRICS[name], FeatureMetric)
        }
        self.prompts, self._facts = data.prompts_to_draw(samples)
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
        """Balanced accuracy of the data set's attribute classifier on images that it has not seen; None where no score
        needs one."""
        classifier = self._judges.classifier
        return None if classifier is None else classifier.accuracy

    def scores(self, images: Tensor, wanted: Sequence[str] | None = None, at: str = "") -> dict[str, Score]:
        """Each metric of the images that were drawn of `prompts`, with its error over them.

        Args:
            images: float32 [N, C, H, W] in [-1, 1].
            wanted: some of `metrics`; absent: all.
            at: what labels say behind the number of images, like `` at 8 steps``.
        """
        drawn = DrawnImages(images, self.prompts, self._facts, self._judges)
        scores = {}
        for name in self.metrics if wanted is None else wanted:
            metric = METRICS[name]
            label = f"{name}@{len(images)}{at} ({metric.judge(self._judges)})"
            scores[name] = Score(label, *metric.score(drawn))
        return scores
