"""``sundial`` and ``sundial:GARDEN``: an hour for every pass, on a clear day."""

from archlab.evaluation.latency import Latency
from archlab.latency.devices.kind import DeviceKind
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.latency.runner import DeviceStatus, circumstances
from archlab.latency.settings import Settings
from archlab.progress import Progress

HOUR_MS = 3.6e6


class SundialRunner:
    """The least that a device can be."""

    compute_units = ("gnomon",)
    precisions = ("fp32",)
    attention_forms = ("plain",)

    def __init__(self, garden: str | None = None) -> None:
        self.name = self.resource = f"sundial:{garden}" if garden else "sundial"

    def status(self) -> DeviceStatus:
        return DeviceStatus(name=self.name, about="the sun", missing="a clear sky", mend="wait")

    def versions(self, settings: Settings) -> dict[str, str]:
        return {"runtime": "Vitruvius, De architectura IX"}

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        progress("convert", 1.0)
        with lock(self.resource):
            progress("measure", 1.0)
            return Latency(
                samples_ms=(HOUR_MS, HOUR_MS),
                bursts=(2,),
                left_out=0,
                noise=None,
                load_ms=1.0,
                first_run_ms=None,
                peak_memory_mb=None,
                model_mb=1.0,
                partitions=None,
                accelerated_share=None,
                parity_max_abs=None,
                provenance=circumstances(self.name, network, settings, self.versions(settings)),
            )


KIND = DeviceKind(
    name="sundial",
    usage="sundial[:GARDEN]",
    pattern=r"sundial(?::(.+))?",
    runner=SundialRunner,
    names=lambda: ["sundial"],
)
