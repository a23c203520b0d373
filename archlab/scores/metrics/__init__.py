"""Scores of drawn images, by name. A further metric is a file here and a line below; its name, heading and direction
are a line of the measures.
"""

from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.scores.metrics.metric import ImageMetric

METRICS: "Registry[ImageMetric]" = Registry(
    {
        "fid": "archlab.scores.metrics.fid:FID",
        "kid": "archlab.scores.metrics.kid:KID",
        "precision": "archlab.scores.metrics.precision:PRECISION",
        "recall": "archlab.scores.metrics.recall:RECALL",
        "adherence": "archlab.scores.metrics.adherence:ADHERENCE",
        "clip_score": "archlab.scores.metrics.clip_score:CLIP_SCORE",
    }
)
