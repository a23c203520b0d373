"""Recorded measurements, for tests and for sharing; never shown as measured anew."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from archlab.errors import BadInput
from archlab.evaluation.fact import from_plain
from archlab.evaluation.latency import Latency
from archlab.files import read_text
from archlab.json_text import json_values
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Network
from archlab.latency.runner import DeviceStatus
from archlab.latency.settings import Execution, Settings
from archlab.progress import Progress

_TELLING = (*Execution.model_fields, "processes")  # what two recordings of an architecture may differ in
_MEASURED = ("measured", "replayed")
_MEND = "archlab latency --format json prints what is needed"


class ReplayRunner:
    """A file of what ``archlab latency --format json`` prints: one measurement, several one after the other, or a list.

    The settings choose among several measurements of an architecture; of equals, the last is taken.
    """

    compute_units = ()
    precisions = ()
    attention_forms = ()

    def __init__(self, path: str) -> None:
        self.name = self.resource = f"replay:{path}"
        self._path = Path(path)

    def status(self) -> DeviceStatus:
        """See `Runner`."""
        missing = ""
        try:
            self._recordings()
        except BadInput as error:
            missing = str(error)
        mend = f"archlab latency ARCH --format json >> {self._path}" if missing else ""
        return DeviceStatus(name=self.name, about="recorded measurements", missing=missing, mend=mend)

    def versions(self, settings: Settings) -> dict[str, str]:
        """See `Runner`."""
        return {"recording": hashlib.sha256(read_text(self._path).encode()).hexdigest()[:16]}

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        """See `Runner`. The provenance is the recording's: its device, its time.

        Raises:
            BadInput: the file cannot be read, has no such architecture, or has it with other settings only.
        """
        recordings = self._recordings()
        found = [one for one in recordings if one.provenance.get("architecture") == network.id]
        if not found:
            raise BadInput(f"{self._path}: {network.name} is not among its {len(recordings)} measurements")
        chosen = found if len(found) == 1 else [one for one in found if _fits(one.provenance, settings)]
        if not chosen:
            recorded = sorted({_said(one.provenance) for one in found})
            raise BadInput(f"{self._path}: {network.name} was measured with other settings: {'; '.join(recorded)}")
        provenance = {**chosen[-1].provenance, "kind": "replayed", "cached": False, "replayed_from": str(self._path)}
        return replace(chosen[-1], provenance=provenance)

    def _recordings(self) -> list[Latency]:
        text = read_text(self._path)
        return [_latency(value, f"{self._path}: measurement {number}") for number, value in _values(self._path, text)]


def _values(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """JSON values one after the other, lists taken apart, numbered from 1."""
    try:
        values = [one for value in json_values(text) for one in (value if isinstance(value, list) else [value])]
    except ValueError as error:
        raise BadInput(f"{path}: not JSON: {error}") from None
    yield from enumerate(values, start=1)


def _latency(value: Any, where: str) -> Latency:
    latency = from_plain(Latency, value, where, _MEND)
    if latency.kind not in _MEASURED:
        raise BadInput(f"{where}: is {latency.kind}, not measured")
    return latency


def _fits(provenance: Mapping[str, Any], settings: Settings) -> bool:
    """Settings that are None or that the recording does not tell are open."""
    asked = {name: getattr(settings, name) for name in _TELLING}
    return all(value is None or provenance.get(name, value) == value for name, value in asked.items())


def _said(provenance: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {provenance[name]}" for name in _TELLING if provenance.get(name) is not None)
