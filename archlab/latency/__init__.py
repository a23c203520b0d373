"""How long an architecture takes on a device, measured."""

from archlab.latency.devices import devices
from archlab.latency.measure import measure
from archlab.latency.measurement import Latency
from archlab.latency.runner import DeviceStatus

__all__ = ["DeviceStatus", "Latency", "devices", "measure"]
