"""What a Mac or an iPhone lacks before it can be measured on, and how to get it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archlab.errors import BadInput
from archlab.latency.devices.coreml.mac import Mac
from archlab.latency.runner import Settings


class NotReady(BadInput):
    """What is not there, and the command or step that brings it."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"missing: {what}; {mend}")
        self.what, self.mend = what, mend


@dataclass(frozen=True, slots=True, kw_only=True)
class IPhone:
    """An iPhone that Xcode knows."""

    udid: str
    name: str
    model: str
    os: str
    simulated: bool
    connected: bool
    developer_mode: bool


def require_coreml(mac: Mac, facts: Mapping[str, Any]) -> None:
    """Refuse what Core ML does not run on.

    Args:
        facts: from `Mac.check`.

    Raises:
        NotReady: it is no Mac, or has no coremltools.
    """
    if not facts["mac"]:
        raise NotReady(
            f"macOS: {mac.name} runs {facts['system']}", "name a Mac that ssh reaches: coreml@HOST or iphone@HOST"
        )
    if facts["coremltools"] is None:
        if mac.host is None:
            raise NotReady("coremltools", "pip install 'archlab[coreml]'")
        mend = (
            f"ssh {mac.host} {facts['python']} -m pip install coremltools, or ARCHLAB_MAC_PYTHON=another Python there"
        )
        raise NotReady(f"coremltools on {mac.host}", mend)


def the_iphone(mac: Mac, devices: Sequence[Mapping[str, Any]] | None) -> IPhone:
    """The iPhone to measure on, of the devices that ``devicectl`` lists.

    Raises:
        NotReady: there is none, or something else is missing; simulators do not count.
    """
    if devices is None:
        raise NotReady(
            f"Xcode 15 or later on {mac.name}", "App Store, then: sudo xcode-select -s /Applications/Xcode.app"
        )
    iphones = _iphones(devices)
    wanted = os.environ.get("ARCHLAB_IPHONE")
    connected = [iphone for iphone in iphones if iphone.connected and not iphone.simulated]
    chosen = [iphone for iphone in connected if wanted in (None, iphone.name, iphone.udid)]
    if not chosen:
        called = f" called {wanted!r}" if wanted else ""
        simulated = any(iphone.simulated for iphone in iphones)
        what = f"a connected iPhone{called}{', and a simulator’s times are the Mac’s' if simulated else ''}"
        mend = f"plug it into {mac.name}, unlock it, trust the Mac and wait for Xcode › Devices to show it"
        raise NotReady(what, mend)
    if len(chosen) > 1:
        raise NotReady("the choice of an iPhone", f"ARCHLAB_IPHONE=one of: {', '.join(one.name for one in chosen)}")
    if not chosen[0].developer_mode:
        raise NotReady("Developer Mode on the iPhone", "Settings › Privacy & Security › Developer Mode")
    if not os.environ.get("ARCHLAB_DEVELOPMENT_TEAM"):
        raise NotReady(
            "the development team that signs Apple's model runner",
            "ARCHLAB_DEVELOPMENT_TEAM=its ten characters, from developer.apple.com › Membership",
        )
    return chosen[0]


def refuse_slowed(mac: Mac, state: Mapping[str, Any], settings: Settings) -> None:
    """Refuse a Mac whose times would be slower than its best; ``state`` from the agent.

    Raises:
        BadInput: it is on battery, saves power or is hot, and the settings do not allow that.
    """
    reasons = []
    if state["power"] == "Battery Power":
        reasons.append("runs on battery: plug it in")
    if state["low_power_mode"]:
        reasons.append("is in low power mode: System Settings › Battery")
    if (state["thermal_pressure"] or 0) > 0 or (state["cpu_speed_limit_percent"] or 100) < 100:
        reasons.append("is hot: let it cool down")
    if reasons and not settings.allow_throttled:
        raise BadInput(f"{mac.name} {' and '.join(reasons)}, or allow throttled measurements")


def _iphones(devices: Sequence[Mapping[str, Any]]) -> list[IPhone]:
    iphones = []
    for device in devices:
        hardware, properties = device.get("hardwareProperties", {}), device.get("deviceProperties", {})
        if hardware.get("deviceType", "").lower() == "iphone":
            iphone = IPhone(
                udid=hardware.get("udid", ""),
                name=properties.get("name", ""),
                model=f"{hardware.get('marketingName', 'iPhone')} ({hardware.get('productType', 'model unknown')})",
                os=f"iOS {properties.get('osVersionNumber', '?')} ({properties.get('osBuildUpdate', '?')})",
                simulated=hardware.get("reality", "physical") != "physical",
                connected=device.get("connectionProperties", {}).get("tunnelState") == "connected",
                developer_mode=properties.get("developerModeStatus") == "enabled",
            )
            iphones.append(iphone)
    return iphones
