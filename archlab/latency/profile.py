"""Where the time of a network goes, operator by operator."""

from typing import TYPE_CHECKING

from archlab.architecture import UNetSpec
from archlab.errors import BadInput, shown
from archlab.latency.devices.registry import KINDS, kind_of, runner
from archlab.latency.network import Network, as_network
from archlab.latency.runner import completed
from archlab.latency.settings import read_settings
from archlab.progress import Progress, silent

if TYPE_CHECKING:
    from archlab.convert import OperatorTime


def profile_operators(
    subject: UNetSpec | Network,
    device: str = "tflite",
    *,
    precision: str = "fp32",
    seed: int = 0,
    progress: Progress | None = None,
) -> "list[OperatorTime]":
    """The operators of one forward pass on one thread of a device, the most expensive first.

    Apart from `measure`: profiling slows the runs down.

    Raises:
        BadInput: the device cannot be profiled, or there is none of that name.
        MissingExtra: an optional dependency is not installed.
        RunFailed: it cannot be converted, or the installed release of the runtime cannot be profiled.
    """
    chosen, kind = runner(device), kind_of(device)
    if kind.profile is None:
        able = " or ".join(repr(each.name) for each in map(KINDS.__getitem__, KINDS.names) if each.profile is not None)
        raise BadInput(f"profile: only {able} can be profiled, not {shown(device)}")
    settings = completed(read_settings({"precision": precision, "seed": seed}), chosen)
    return kind.profile(as_network(subject), settings, progress or silent)
