"""``iphone`` and ``iphone@HOST``: Core ML on an iPhone that is plugged into a Mac."""

from archlab.latency.devices.coreml.mac import MACS_MEND, named_on_macs
from archlab.latency.devices.iphone.runner import IPhoneRunner
from archlab.latency.devices.kind import DeviceKind
from archlab.latency.runner import DeviceStatus

KIND = DeviceKind(
    name="iphone",
    usage="iphone[@HOST]",
    pattern=r"iphone(?:@(.+))?",
    runner=IPhoneRunner,
    names=lambda: named_on_macs("iphone"),
    unnamed=DeviceStatus(
        name="iphone@HOST",
        about="Core ML on the iPhone plugged into a Mac, over ssh",
        missing="the name of a Mac",
        mend=MACS_MEND,
    ),
)
