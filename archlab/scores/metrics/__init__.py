"""Scores of drawn images, by name. A further metric is a file here and a line of the measures.

The file bears the measure's name, and what it has for it is the same name in capitals: `kid.KID`.
"""

from typing import TYPE_CHECKING

from archlab.evaluation.measures import MEASURES
from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.scores.metrics.metric import ImageMetric

METRICS: "Registry[ImageMetric]" = Registry(
    {
        name: f"archlab.scores.metrics.{name}:{name.upper()}"
        for name, measure in MEASURES.items()
        if measure.needs == "images"
    }
)
