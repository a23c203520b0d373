"""What a whole image costs: text encoders, UNet and image decoder."""

from archlab.latency.pipeline.image import ImageLatency, Part, measure_image

__all__ = ["ImageLatency", "Part", "measure_image"]
