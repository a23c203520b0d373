"""A latency as a notebook shows it."""

from collections.abc import Mapping
from typing import Any, Protocol

_FACTS = ("runs", "rounds", "left_out", "p90_ms", "minimum_ms", "load_ms", "first_run_ms", "peak_memory_mb", "model_mb")
_ORIGIN = ("device", "chip", "os", "runtime", "precision", "threads", "table")


class _Latency(Protocol):
    @property
    def median_ms(self) -> float: ...
    @property
    def low_ms(self) -> float: ...
    @property
    def high_ms(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def noisy(self) -> bool: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...


class ShownLatency:
    """A short ``repr``, and a table in a notebook. An estimate never looks measured, noise never quiet."""

    __slots__ = ()

    def __repr__(self: _Latency) -> str:
        about = "≈ " if self.kind == "estimated" else ""
        noisy = ", noisy" if self.noisy else ""
        device = self.provenance.get("device")
        where = f" on {device}" if device else ""
        interval = f"{self.low_ms:.4g} to {self.high_ms:.4g}"
        return f"<{type(self).__name__} {about}{self.median_ms:.4g} ms ({interval}), {self.kind}{where}{noisy}>"

    def _repr_html_(self: _Latency) -> str:
        """What is known of it, for notebooks."""
        from pandas import Series

        facts: dict[str, object] = {self.kind: f"{self.median_ms:.4g} ms, {self.low_ms:.4g} to {self.high_ms:.4g} ms"}
        facts |= {name: getattr(self, name, None) for name in ("noise", "not_measured", *_FACTS)}
        facts |= {name: self.provenance.get(name) for name in _ORIGIN}
        known = {name: f"{v:.4g}" if isinstance(v, float) else v for name, v in facts.items() if v is not None}
        return Series(known, dtype=object).to_frame().to_html(header=False, border=0)
