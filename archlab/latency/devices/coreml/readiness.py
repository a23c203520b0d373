"""What a Mac lacks before it can be measured on, and how to get it."""

from collections.abc import Callable

from archlab.errors import BadInput, MissingExtra, RunFailed
from archlab.latency.devices.coreml.answers import MacFacts, MacState
from archlab.latency.devices.coreml.mac import Mac
from archlab.latency.packages import installed
from archlab.latency.runner import DeviceStatus
from archlab.latency.settings import Settings


class NotReady(BadInput):
    """What is not there, and the command or step that brings it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"missing: {what}; {mend}")
        self.what, self.mend = what, mend


def checked_mac(device: str, mac: Mac, *, devices: bool = False) -> MacFacts:
    """What the Mac has, where Core ML runs there and can be converted for here.

    Args:
        device: the name that was asked for, for messages.
        devices: whether to list what is plugged into it.

    Raises:
        NotReady: it is no Mac, or has no coremltools.
        MissingExtra: coremltools is not installed here.
        BadInput, DeviceGone, RunFailed: see `Mac.measure`.
    """
    answer = mac.check(devices=devices)
    if not answer["mac"]:
        raise NotReady(
            f"macOS: {mac.name} runs {answer['system']}", "name a Mac that ssh reaches: coreml@HOST or iphone@HOST"
        )
    facts = MacFacts.of(answer)
    if facts.coremltools is None:
        if mac.host is None:
            raise NotReady("coremltools", "pip install 'archlab[coreml]'")
        mend = f"ssh {mac.host} {facts.python} -m pip install coremltools, or ARCHLAB_MAC_PYTHON=another Python there"
        raise NotReady(f"coremltools on {mac.host}", mend)
    if not installed("coremltools"):
        raise MissingExtra(f"converting for {device!r}", "coreml")
    return facts


def readiness(device: str, about: str, ask: Callable[[], object]) -> DeviceStatus:
    """The status of a device, from what ``ask`` raises."""
    missing = mend = ""
    try:
        ask()
    except NotReady as error:
        missing, mend = error.what, error.mend
    except (BadInput, RunFailed) as error:  # one line: what is wrong; what mends it
        missing, _, mend = str(error).partition("; ")
    return DeviceStatus(name=device, about=about, missing=missing, mend=mend)


def slowed(state: MacState) -> str:
    """Why its times would be slower than a Mac's best, after the Mac's name; empty where nothing is known."""
    reasons = []
    if state.power == "Battery Power":
        reasons.append("runs on battery: plug it in")
    if state.low_power_mode:
        reasons.append("is in low power mode: System Settings › Battery")
    if (state.thermal_pressure or 0) > 0 or (state.cpu_speed_limit_percent or 100) < 100:
        reasons.append("is hot: let it cool down")
    return " and ".join(reasons)


def refuse_slowed(mac: Mac, state: MacState, settings: Settings) -> None:
    """Refuse a Mac whose times would be slower than its best.

    Raises:
        BadInput: it is on battery, saves power or is hot, and the settings do not allow that.
    """
    if (why := slowed(state)) and not settings.allow_throttled:
        raise BadInput(f"{mac.name} {why}, or allow throttled measurements")
