"""Core ML on an iPhone that is plugged into this Mac, or into a Mac over ssh."""

import os

from archlab.evaluation.latency import Latency
from archlab.latency.devices.coreml import timing
from archlab.latency.devices.coreml.answers import MacFacts
from archlab.latency.devices.coreml.mac import Mac
from archlab.latency.devices.coreml.package import coreml_package
from archlab.latency.devices.coreml.readiness import checked_mac, readiness
from archlab.latency.devices.iphone.phone import TEAM, IPhone, the_iphone
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.latency.runner import DeviceStatus
from archlab.latency.settings import Settings
from archlab.progress import Progress


class IPhoneRunner:
    """``iphone``: the iPhone that is plugged into this Mac. ``iphone@HOST``: into a Mac over ssh.

    Through coremltools' remote device: Xcode builds and signs Apple's model runner for the development team
    ``$ARCHLAB_DEVELOPMENT_TEAM``. ``$ARCHLAB_IPHONE`` names one of several iPhones.
    """

    compute_units = timing.COMPUTE_UNITS
    precisions = timing.PRECISIONS
    attention_forms = timing.ATTENTION_FORMS

    def __init__(self, host: str | None = None) -> None:
        self._mac = Mac(host)
        self.name = self.resource = f"iphone@{host}" if host else "iphone"

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        about = f"Core ML on the iPhone plugged into {self._mac.name if self._mac.host else 'this Mac'}"
        return readiness(self.name, about, self._facts)

    def versions(self, settings: Settings) -> dict[str, str]:
        """See `Runner`. Asks the Mac; raises as `measure` does."""
        return _versions(*self._facts())

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. What runs on the iPhone is timed there; its heat and battery are not known."""
        facts, iphone = self._facts()
        artifact = coreml_package(network, settings, progress)
        with lock(self.resource):
            reports = timing.timed(self._mac, artifact, settings, progress, iphone.udid, os.environ[TEAM])
        return timing.coreml_latency(self.name, network, settings, artifact, reports, _versions(facts, iphone))

    def _facts(self) -> tuple[MacFacts, IPhone]:
        facts = checked_mac(self.name, self._mac, devices=True)
        return facts, the_iphone(self._mac, facts.devices)


def _versions(facts: MacFacts, iphone: IPhone) -> dict[str, str]:
    mac = timing.mac_versions(facts)
    return {
        **mac,
        "runtime": f"Core ML of {iphone.os}, coremltools {facts.coremltools}",
        "os": iphone.os,
        "chip": iphone.model,
        "host": iphone.name,
        "mac": f"{mac['chip']}, {mac['os']}",
    }
