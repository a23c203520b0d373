"""The iPhone that is plugged into a Mac, and what it lacks before it can be measured on."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archlab.latency.devices.coreml.mac import Mac
from archlab.latency.devices.coreml.readiness import NotReady

NAME = "ARCHLAB_IPHONE"  # which of several
TEAM = "ARCHLAB_DEVELOPMENT_TEAM"


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
    wanted = os.environ.get(NAME)
    connected = [iphone for iphone in iphones if iphone.connected and not iphone.simulated]
    chosen = [iphone for iphone in connected if wanted in (None, iphone.name, iphone.udid)]
    if not chosen:
        called = f" called {wanted!r}" if wanted else ""
        simulated = any(iphone.simulated for iphone in iphones)
        what = f"a connected iPhone{called}{', and a simulator’s times are the Mac’s' if simulated else ''}"
        mend = f"plug it into {mac.name}, unlock it, trust the Mac and wait for Xcode › Devices to show it"
        raise NotReady(what, mend)
    if len(chosen) > 1:
        raise NotReady("the choice of an iPhone", f"{NAME}=one of: {', '.join(one.name for one in chosen)}")
    if not chosen[0].developer_mode:
        raise NotReady("Developer Mode on the iPhone", "Settings › Privacy & Security › Developer Mode")
    if not os.environ.get(TEAM):
        raise NotReady(
            "the development team that signs Apple's model runner",
            f"{TEAM}=its ten characters, from developer.apple.com › Membership",
        )
    return chosen[0]


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
