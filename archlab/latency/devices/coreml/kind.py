"""``coreml`` and ``coreml@HOST``: Core ML on a Mac."""

from archlab.latency.devices.coreml.mac import MACS_MEND, named_on_macs
from archlab.latency.devices.coreml.runner import CoreMLRunner
from archlab.latency.devices.kind import DeviceKind
from archlab.latency.runner import DeviceStatus

KIND = DeviceKind(
    name="coreml",
    usage="coreml[@HOST]",
    pattern=r"coreml(?:@(.+))?",
    runner=CoreMLRunner,
    names=lambda: named_on_macs("coreml"),
    unnamed=DeviceStatus(
        name="coreml@HOST", about="Core ML on a Mac, over ssh", missing="the name of a Mac", mend=MACS_MEND
    ),
)
