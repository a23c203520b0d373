"""The devices by name."""

import os
import re
from importlib import import_module
from typing import NamedTuple

from archlab.errors import BadInput, RunFailed, nearest
from archlab.latency.runner import DeviceStatus, Runner


class _Kind(NamedTuple):
    """How a device is written, and the class of this package that runs it, made of the pattern's groups."""

    usage: str
    pattern: str
    module: str
    class_name: str


_KINDS = (
    _Kind("tflite", r"tflite", "tflite.runner", "TFLiteRunner"),
    _Kind("torch[:cuda]", r"torch(?::(cuda))?", "torch.runner", "TorchRunner"),
    _Kind("android[:SERIAL]", r"android(?::(.+))?", "android.runner", "AndroidRunner"),
    _Kind("coreml[@HOST]", r"coreml(?:@(.+))?", "coreml.runner", "CoreMLRunner"),
    _Kind("iphone[@HOST]", r"iphone(?:@(.+))?", "coreml.runner", "IPhoneRunner"),
    _Kind("replay:FILE", r"replay:(.+)", "replay.runner", "ReplayRunner"),
)


_UNNAMED = (
    DeviceStatus(
        name="coreml@HOST",
        about="Core ML on a Mac, over ssh",
        missing="the name of a Mac",
        mend="write it for HOST; those in ARCHLAB_MACS='HOST …' are listed here",
    ),
    DeviceStatus(
        name="iphone@HOST",
        about="Core ML on the iPhone plugged into a Mac, over ssh",
        missing="the name of a Mac",
        mend="write it for HOST; those in ARCHLAB_MACS='HOST …' are listed here",
    ),
    DeviceStatus(
        name="replay:FILE",
        about="recorded measurements",
        missing="the name of a recording",
        mend="make one: archlab latency ARCH --format json >> FILE",
    ),
)


def devices() -> list[DeviceStatus]:
    """Every device that can be named from here, with what is missing for those that cannot be measured on.

    Of Android the attached phones; Macs are those in ``$ARCHLAB_MACS``, as ssh knows them, separated by spaces.
    """
    macs = os.environ.get("ARCHLAB_MACS", "").split()
    names = ["tflite", "torch", "torch:cuda", *_phones(), "coreml", "iphone"]
    names += [f"{kind}@{mac}" for mac in macs for kind in ("coreml", "iphone")]
    return [*(runner(name).status() for name in names), *_UNNAMED]


def runner(name: str) -> Runner:
    """The device of that name.

    Raises:
        BadInput: there is none; the message has the nearest name.
    """
    for kind in _KINDS:
        if found := re.fullmatch(kind.pattern, name):
            made: Runner = getattr(import_module(f"archlab.latency.devices.{kind.module}"), kind.class_name)(
                *found.groups()
            )
            return made
    raise BadInput(f"no device {name!r}{nearest(name, [kind.usage for kind in _KINDS])}")


def _phones() -> list[str]:
    """Attached phones, or the kind alone."""
    from archlab.latency.devices.android.adb import attached, has_adb

    try:
        serials = sorted(attached()) if has_adb() else []
    except (BadInput, RunFailed):  # what is wrong with adb, the kind's status says
        serials = []
    return [f"android:{serial}" for serial in serials] or ["android"]
