"""The kinds of devices, and the devices by name."""

import re
from importlib import import_module

from archlab.errors import BadInput, nearest
from archlab.latency.devices.kind import DeviceKind, kind_name
from archlab.latency.runner import DeviceStatus, Runner

FOLDERS = (  # each has a module ``kind`` with a `KIND` of the folder's name; in the order of listings
    "tflite",
    "torch",
    "android",
    "coreml",
    "iphone",
    "replay",
)
KINDS: dict[str, DeviceKind] = {name: import_module(f"{__package__}.{name}.kind").KIND for name in FOLDERS}


def devices() -> list[DeviceStatus]:
    """Every device that can be named from here, with what is missing for those that cannot be measured on.

    Of Android the attached phones; Macs are those in ``$ARCHLAB_MACS``, as ssh knows them, separated by spaces.
    """
    statuses = [runner(name).status() for kind in KINDS.values() for name in kind.names()]
    return [*statuses, *(kind.unnamed for kind in KINDS.values() if kind.unnamed is not None)]


def runner(name: str) -> Runner:
    """The device of that name.

    Raises:
        BadInput: there is none; the message has the nearest name.
    """
    kind = KINDS.get(kind_name(name))
    if kind is not None and (parts := re.fullmatch(kind.pattern, name)):
        return kind.runner(*parts.groups())
    raise BadInput(f"no device {name!r}{nearest(name, [kind.usage for kind in KINDS.values()])}")


def kind_of(name: str) -> DeviceKind:
    """The kind that a device's name begins with.

    Raises:
        BadInput: there is none; the message has the nearest word.
    """
    word = kind_name(name)
    if word not in KINDS:
        raise BadInput(f"no {word!r}{nearest(word, list(KINDS))}")
    return KINDS[word]
