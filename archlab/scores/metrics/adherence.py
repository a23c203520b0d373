"""The metric ``adherence``."""

from torch import Tensor

from archlab.scores.metrics.metric import Conditions, DrawnImages, ImageMetric, Judges
from archlab.scores.resampling import Statistic, ratio


class Adherence(ImageMetric):
    """How many facts that prompts state the data's attribute classifier reads off the images."""

    def lacks(self, conditions: Conditions) -> str | None:
        if conditions.data.attributes:
            return None
        return f"needs to know what the captions state, as with digits or shapes, not {conditions.data.name}"

    def judge(self, judges: Judges) -> str:
        return judges.classifier.described if judges.classifier else ""

    def score(self, drawn: DrawnImages) -> Statistic:
        classifier = drawn.judges.classifier
        assert classifier is not None
        return adherence(classifier.read(drawn.images), drawn.facts)


ADHERENCE = Adherence()


def adherence(readings: Tensor, facts: Tensor) -> Statistic:
    """The share of stated facts that are read off the images.

    Args:
        readings: int64 [N, A].
        facts: what each image's prompt states: int64 [N, A], -1 where it says nothing.
    """
    stated = facts >= 0
    right = (readings == facts) & stated
    return ratio(right.sum(1).double().numpy(), stated.sum(1).double().numpy())
