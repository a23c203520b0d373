"""How long an architecture takes on a device: measured, or estimated from a table of its pieces."""

from archlab.evaluation.latency import Estimate, Latency
from archlab.latency.devices.registry import devices
from archlab.latency.measure import measure
from archlab.latency.network import Network
from archlab.latency.pipeline.image import ImageLatency, measure_image
from archlab.latency.profile import profile_operators
from archlab.latency.runner import DeviceStatus
from archlab.latency.table import estimate

__all__ = [
    "DeviceStatus",
    "Estimate",
    "ImageLatency",
    "Latency",
    "Network",
    "devices",
    "estimate",
    "measure",
    "measure_image",
    "profile_operators",
]
