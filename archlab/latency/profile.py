"""Where the time of a network goes, operator by operator."""

from typing import TYPE_CHECKING

from archlab.architecture import UNetSpec
from archlab.errors import MissingExtra
from archlab.latency.devices.tflite.file import tflite_file
from archlab.latency.devices.tflite.runner import TFLiteRunner
from archlab.latency.network import Network, as_network
from archlab.latency.runner import Settings
from archlab.progress import Progress, silent

if TYPE_CHECKING:
    from archlab.convert import OperatorTime


def profile_operators(
    subject: UNetSpec | Network, *, precision: str = "fp32", seed: int = 0, progress: Progress | None = None
) -> "list[OperatorTime]":
    """The operators of one forward pass through TFLite on one thread of this computer, the dearest first.

    Apart from `measure`: profiling slows the runs down.

    Raises:
        MissingExtra: an optional dependency is not installed.
        RunFailed: it cannot be converted, or this release of ai-edge-litert cannot be profiled.
    """
    from archlab.convert import operator_profile

    if not TFLiteRunner().status().available:
        raise MissingExtra("profiling on 'tflite'", "tflite")
    settings = Settings(precision=precision, attention=TFLiteRunner.attention_forms[0], seed=seed)
    return operator_profile(tflite_file(as_network(subject), settings, progress or silent).model)
