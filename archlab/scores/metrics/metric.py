"""What a metric of drawn images says, and what it is given."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.scores.attribute_classifier import AttributeClassifier
from archlab.scores.clip_score import ClipScore
from archlab.scores.extractors import Extractor
from archlab.scores.real_features import RealFeatures
from archlab.scores.resampling import Float64, Statistic


@dataclass(frozen=True)
class Conditions:
    """What is known before anything is drawn.

    Attributes:
        samples: how many images will be drawn.
        has_clip: whether the settings name a CLIP.
    """

    data: CaptionedImages
    samples: int
    has_clip: bool


@dataclass(frozen=True, eq=False)
class Judges:
    """The networks that look at images, and the real images.

    Attributes:
        classifier: of the data's attributes; None where it has none.
        clip: None where the settings name none.
    """

    extractor: Extractor
    real: RealFeatures
    classifier: AttributeClassifier | None
    clip: ClipScore | None


@dataclass(frozen=True, eq=False)
class DrawnImages:
    """Images with what they were drawn from.

    Attributes:
        images: [N, C, H, W] in [-1, 1].
        prompts: one per image.
        facts: what each prompt states: int64 [N, A], -1 where it says nothing.
    """

    images: Tensor
    prompts: Sequence[str]
    facts: Tensor
    judges: Judges

    @cached_property
    def features(self) -> Float64:
        """As the extractor sees them: [N, D]."""
        features: Float64 = self.judges.extractor.features(self.images).double().numpy()
        return features


class ImageMetric(ABC):
    """One number for a set of drawn images, with its error over them."""

    @abstractmethod
    def lacks(self, conditions: Conditions) -> str | None:
        """What it needs and cannot have, like ``needs clip``; None where it can be computed."""

    @abstractmethod
    def judge(self, judges: Judges) -> str:
        """Who judges, for the label: scores by different judges are never compared."""

    @abstractmethod
    def score(self, drawn: DrawnImages) -> Statistic:
        """The score and its standard error."""


@dataclass(frozen=True)
class FeatureMetric(ImageMetric):
    """A metric that compares features of drawn images [N, D] with those of real ones.

    Attributes:
        least_images: drawn ones, that there is a score and an error.
        least_real: images of the data set, likewise.
    """

    compare: Callable[[Float64, RealFeatures], Statistic]
    least_images: int = 2
    least_real: int = 2

    def lacks(self, conditions: Conditions) -> str | None:
        if conditions.samples < self.least_images:
            return f"needs samples of at least {self.least_images}"
        if (real := len(conditions.data.images)) < self.least_real:
            return f"needs a data set of at least {self.least_real} images, not {real}"
        return None

    def judge(self, judges: Judges) -> str:
        return judges.extractor.name

    def score(self, drawn: DrawnImages) -> Statistic:
        return self.compare(drawn.features, drawn.judges.real)
