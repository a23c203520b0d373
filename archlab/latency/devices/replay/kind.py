"""``replay:FILE``: recorded measurements."""

from archlab.latency.devices.kind import DeviceKind
from archlab.latency.devices.replay.runner import ReplayRunner
from archlab.latency.runner import DeviceStatus

KIND = DeviceKind(
    name="replay",
    usage="replay:FILE",
    pattern=r"replay:(.+)",
    runner=ReplayRunner,
    names=list,
    unnamed=DeviceStatus(
        name="replay:FILE",
        about="recorded measurements",
        missing="the name of a recording",
        mend="make one: archlab latency ARCH --format json >> FILE",
    ),
    names_a_file=True,
    channels_last=True,
)
