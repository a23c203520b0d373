"""``android`` and ``android:SERIAL``: TFLite on an Android phone."""

from archlab.errors import BadInput, RunFailed
from archlab.latency.devices.android.adb import attached, has_adb
from archlab.latency.devices.android.runner import AndroidRunner
from archlab.latency.devices.kind import DeviceKind


def phones() -> list[str]:
    """Attached phones, or the kind alone."""
    try:
        serials = sorted(attached()) if has_adb() else []
    except (BadInput, RunFailed):  # what is wrong with adb, the kind's status says
        serials = []
    return [f"android:{serial}" for serial in serials] or ["android"]


KIND = DeviceKind(
    name="android",
    usage="android[:SERIAL]",
    pattern=r"android(?::(.+))?",
    runner=AndroidRunner,
    names=phones,
    channels_last=True,
)
