"""The devices by name."""

from archlab.errors import BadInput, nearest
from archlab.latency.runner import DeviceStatus, Runner
from archlab.latency.tflite import TFLiteRunner

_RUNNERS: dict[str, type[Runner]] = {"tflite": TFLiteRunner}


def devices() -> list[DeviceStatus]:
    """Every device, with what is missing for those that cannot be measured on from here."""
    return [runner().status() for runner in _RUNNERS.values()]


def runner(name: str) -> Runner:
    """The device of that name.

    Raises:
        BadInput: there is none; the message has the nearest name.
    """
    if name not in _RUNNERS:
        raise BadInput(f"no device {name!r}{nearest(name, _RUNNERS)}")
    return _RUNNERS[name]()
