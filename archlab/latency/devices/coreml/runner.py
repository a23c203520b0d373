"""Core ML on this Mac, or on a Mac over ssh."""

from archlab.evaluation.latency import Latency
from archlab.latency.devices.coreml import timing
from archlab.latency.devices.coreml.answers import MacFacts
from archlab.latency.devices.coreml.mac import Mac
from archlab.latency.devices.coreml.package import coreml_package
from archlab.latency.devices.coreml.readiness import checked_mac, readiness, refuse_slowed, slowed
from archlab.latency.lock import THIS_COMPUTER, DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.latency.runner import DeviceStatus
from archlab.latency.settings import Settings
from archlab.progress import Progress


class CoreMLRunner:
    """``coreml``: this Mac. ``coreml@HOST``: a Mac over ssh. Converts here, with coremltools, on any system."""

    compute_units = timing.COMPUTE_UNITS
    precisions = timing.PRECISIONS
    attention_forms = timing.ATTENTION_FORMS

    def __init__(self, host: str | None = None) -> None:
        self._mac = Mac(host)
        self.name = f"coreml@{host}" if host else "coreml"
        self.resource = self.name if host else THIS_COMPUTER

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        about = f"Core ML on the Mac {self._mac.name}, over ssh" if self._mac.host else "Core ML on this Mac"
        return readiness(self.name, about, self._facts)

    def versions(self, settings: Settings) -> dict[str, str]:
        """See `Runner`. Asks the Mac; raises as `measure` does."""
        return timing.mac_versions(self._facts())

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. A Mac on battery, in low power mode or hot is refused, before and after the runs."""
        facts = self._facts()
        refuse_slowed(self._mac, facts.state, settings)
        artifact = coreml_package(network, settings, progress)
        with lock(self.resource):
            reports = timing.timed(self._mac, artifact, settings, progress)
        for report in reports:
            refuse_slowed(self._mac, report.state, settings)
        states = [facts.state, *(report.state for report in reports)]
        slow_because = next((f"the Mac {why}" for state in states if (why := slowed(state))), "")
        return timing.coreml_latency(
            self.name, network, settings, artifact, reports, timing.mac_versions(facts), slow_because
        )

    def _facts(self) -> MacFacts:
        return checked_mac(self.name, self._mac)
