"""``tflite``: TFLite on this computer."""

from archlab.latency.devices.kind import DeviceKind
from archlab.latency.devices.tflite.profile import profile
from archlab.latency.devices.tflite.runner import TFLiteRunner

KIND = DeviceKind(
    name="tflite",
    usage="tflite",
    pattern="tflite",
    runner=TFLiteRunner,
    names=lambda: ["tflite"],
    is_this_computer=True,
    channels_last=True,
    profile=profile,
)
