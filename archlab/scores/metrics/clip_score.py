"""The metric ``clip_score``."""

import numpy as np

from archlab.scores.metrics.metric import Conditions, DrawnImages, ImageMetric, Judges
from archlab.scores.resampling import Statistic, ratio


class MeanClipScore(ImageMetric):
    """How well images fit their prompts in CLIP's eyes, on average; see `archlab.scores.clip_score.ClipScore`."""

    def lacks(self, conditions: Conditions) -> str | None:
        return None if conditions.has_clip else "needs clip, a transformers folder with CLIP"

    def judge(self, judges: Judges) -> str:
        return judges.clip.name if judges.clip else ""

    def score(self, drawn: DrawnImages) -> Statistic:
        clip = drawn.judges.clip
        assert clip is not None
        similarity = clip(drawn.images, drawn.prompts).double().numpy()
        return ratio(similarity, np.ones_like(similarity))


CLIP_SCORE = MeanClipScore()
