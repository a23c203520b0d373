"""Where the time of a network goes in TFLite, operator by operator."""

from typing import TYPE_CHECKING

from archlab.latency.devices.tflite.file import tflite_file
from archlab.latency.network import Network
from archlab.latency.settings import Settings
from archlab.progress import Progress

if TYPE_CHECKING:
    from archlab.convert import OperatorTime


def profile(network: Network, settings: Settings, progress: Progress) -> "list[OperatorTime]":
    """The operators of one forward pass on one thread, the most expensive first.

    Raises:
        RunFailed: it cannot be converted, or this release of ai-edge-litert cannot be profiled.
    """
    from archlab.convert import operator_profile

    return operator_profile(tflite_file(network, settings, progress).model)
