"""The kinds of devices, and the devices by name."""

import re

from archlab.errors import BadInput, nearest, shown
from archlab.latency.devices.kind import DeviceKind, kind_name
from archlab.latency.runner import DeviceStatus, Runner
from archlab.registry import Registry

KINDS: Registry[DeviceKind] = Registry(  # in the order of listings
    {
        "tflite": "archlab.latency.devices.tflite.kind:KIND",
        "torch": "archlab.latency.devices.torch.kind:KIND",
        "android": "archlab.latency.devices.android.kind:KIND",
        "coreml": "archlab.latency.devices.coreml.kind:KIND",
        "iphone": "archlab.latency.devices.iphone.kind:KIND",
        "replay": "archlab.latency.devices.replay.kind:KIND",
    }
)


def devices() -> list[DeviceStatus]:
    """Every device that can be named from here, with what is missing for those that cannot be measured on.

    Of Android the attached phones; Macs are those in ``$ARCHLAB_MACS``, as ssh knows them, separated by spaces.
    """
    kinds = [KINDS[name] for name in KINDS.names]
    statuses = [runner(device).status() for kind in kinds for device in kind.names()]
    return [*statuses, *(kind.unnamed for kind in kinds if kind.unnamed is not None)]


def runner(name: str) -> Runner:
    """The device of that name.

    Raises:
        BadInput: there is none; the message has the nearest name.
    """
    word = kind_name(name)
    if word in KINDS.names and (parts := re.fullmatch(KINDS[word].pattern, name)):
        return KINDS[word].runner(*parts.groups())
    raise BadInput(f"no device {shown(name)}{nearest(name, [KINDS[word].usage for word in KINDS.names])}")


def kind_of(name: str) -> DeviceKind:
    """The kind that a device's name begins with.

    Raises:
        ValueError: there is none; the message has the nearest word.
    """
    return KINDS[kind_name(name)]
