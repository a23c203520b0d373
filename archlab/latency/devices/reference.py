"""What the reference computation lately took on this computer: load that stays throughout is told by that."""

import json
from contextlib import suppress

from archlab.cache import Entry, Kind, content_hash
from archlab.latency.devices.computer import identity
from archlab.latency.packages import package_version

REFERENCES = Kind("references", "what a computation of known length lately took on this computer, to tell noise by")
_LATEST = 8  # measurements after which a lasting change of the clock is no disturbance any more


def known_reference_ms(threads: int) -> float | None:
    """The least of the latest measurements; None where there is none."""
    return min(_latest_ms(_entry(threads)), default=None)


def remember_reference_ms(threads: int, reference_ms: float) -> None:
    """The least that it took during a measurement that nothing disturbed, as far as that could tell by itself."""
    entry = _entry(threads)
    latest_ms = [*_latest_ms(entry), reference_ms][-_LATEST:]
    entry.keep(lambda path: path.write_text(json.dumps(latest_ms), encoding="ascii"))


def _entry(threads: int) -> Entry:
    return REFERENCES.entry(f"{content_hash(identity(), package_version('numpy'), threads)}.json")


def _latest_ms(entry: Entry) -> list[float]:
    with suppress(OSError, ValueError, TypeError):
        if (path := entry.use()) is not None:
            return [float(each) for each in json.loads(path.read_text(encoding="ascii"))]
    return []
