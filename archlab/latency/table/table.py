"""The table itself: one file with every timing of pieces and whole networks on one device."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple

from archlab.architecture import UNetSpec, from_dict
from archlab.cache import Kind, content_hash
from archlab.errors import BadInput
from archlab.files import read_json, write_text
from archlab.latency.settings import Settings
from archlab.latency.table.pieces import Piece

Role = Literal["fit", "check"]

LATENCY_TABLES = Kind("latency_tables", "latency tables that were built without --out", evictable=False)

_FORMAT = "archlab latency table 2"
_OLD_FORMATS = ("archlab latency table 1",)


class Burst(NamedTuple):
    """The median of a few runs in a row, and the fastest of the reference's bursts around that time."""

    median_ms: float
    reference_ms: float


@dataclass
class Timing:
    """What was measured of one network.

    Attributes:
        model_mb: size of the converted file.
        seconds: that the first burst took, with the conversion.
    """

    bursts: list[Burst] = field(default_factory=list)
    model_mb: float = 0.0
    seconds: float = 0.0

    @property
    def ratio(self) -> float:
        """To the reference: drift of the clock is in both. The least, for what disturbs a burst only adds to it."""
        return min(burst.median_ms / burst.reference_ms for burst in self.bursts)


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a table is of: another device, thread count, precision or version is another table."""

    device: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]

    @classmethod
    def of(cls, device: str, settings: Settings, versions: Mapping[str, str]) -> "Circumstances":
        """Of the settings, those that decide a latency."""
        return cls(device=device, settings=settings.execution(), versions=dict(versions))

    @property
    def flat(self) -> dict[str, Any]:
        """All of it in one dictionary."""
        return {"device": self.device, **self.settings, **self.versions}

    @property
    def default_path(self) -> Path:
        """Where the table is unless it is asked for elsewhere."""
        return LATENCY_TABLES.folder() / f"{content_hash(asdict(self))}.json"


@dataclass(kw_only=True)
class Table:
    """Timings of pieces, of whole networks by spec, and of a network that does nothing.

    Attributes:
        reference: the piece that all others are timed beside.
        idle: what any invocation takes, however little it computes.
        whole: ``fit``: those that the corrections are fitted on; ``check``: those held out.
        measured_at: when the last burst was.
        seconds: that all of it took, over all runs of the build.
    """

    circumstances: Circumstances
    reference: Piece
    idle: Timing = field(default_factory=Timing)
    pieces: dict[Piece, Timing] = field(default_factory=dict)
    whole: dict[Role, dict[UNetSpec, Timing]] = field(default_factory=lambda: {"fit": {}, "check": {}})
    measured_at: str = ""
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """Content hash of everything measured."""
        return content_hash(self.to_dict())

    @property
    def reference_ms(self) -> float:
        """The reference's typical latency, which turns ratios into milliseconds."""
        return median(burst.reference_ms for timing in self.timings() for burst in timing.bursts)

    def timings(self) -> Iterable[Timing]:
        """All of them."""
        yield self.idle
        yield from self.pieces.values()
        for timings in self.whole.values():
            yield from timings.values()

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return {
            "format": _FORMAT,
            **asdict(self.circumstances),
            "measured_at": self.measured_at,
            "seconds": self.seconds,
            "reference": self.reference.to_dict(),
            "idle": asdict(self.idle),
            "pieces": [{**piece.to_dict(), **asdict(timing)} for piece, timing in self.pieces.items()],
            "whole": {
                role: [{"architecture": spec.to_dict(), **asdict(timing)} for spec, timing in timings.items()]
                for role, timings in self.whole.items()
            },
        }


def save_table(table: Table, path: Path) -> None:
    """Write it whole or not at all."""
    write_text(path, json.dumps(table.to_dict()))


def load_table(path: Path) -> Table:
    """Read a table.

    Raises:
        BadInput: the file is absent, damaged, or no table.
    """
    data = read_json(path)
    if data.get("format") in _OLD_FORMATS:
        settings = data["settings"] if isinstance(data.get("settings"), dict) else {}
        command = build_command(data.get("device", "DEVICE"), settings, path)
        raise BadInput(f"{path}: is a table of an earlier archlab; delete it and build it again: {command}")
    if data.get("format") != _FORMAT:
        raise BadInput(f"{path}: is not a latency table; archlab latency-table build makes one")
    try:
        circumstances = Circumstances(
            device=data["device"], settings=dict(data["settings"]), versions=dict(data["versions"])
        )
        whole: dict[Role, dict[UNetSpec, Timing]] = {
            role: {from_dict(entry["architecture"]): _timing(entry) for entry in data["whole"][role]} for role in _ROLES
        }
        return Table(
            circumstances=circumstances,
            reference=Piece.from_dict(data["reference"]),
            idle=_timing(data["idle"]),
            pieces={Piece.from_dict(entry): _timing(entry) for entry in data["pieces"]},
            whole=whole,
            measured_at=data["measured_at"],
            seconds=float(data["seconds"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, BadInput) as error:
        reason = f"{error.args[0]} is absent" if isinstance(error, KeyError) else error
        raise BadInput(f"{path}: damaged: {reason}; restore it, or build the table again") from None


def build_command(device: str, settings: Mapping[str, Any], path: Path | None) -> str:
    """The command line that measures what a table lacks."""
    options = [f"--{name} {value}" for name, value in settings.items() if value is not None]
    out = [] if path is None else [f"--out {path}"]
    return " ".join(["archlab latency-table build", f"--device {device}", "--space SPACE.yaml", *options, *out])


_ROLES: tuple[Role, ...] = ("fit", "check")


def _timing(data: Mapping[str, Any]) -> Timing:
    bursts = [Burst(float(median_ms), float(reference_ms)) for median_ms, reference_ms in data["bursts"]]
    for burst in bursts:
        if not (0 < burst.median_ms < float("inf") and 0 < burst.reference_ms < float("inf")):
            raise ValueError(f"{burst.median_ms} and {burst.reference_ms} ms are no latencies")
    timing = Timing(bursts, float(data["model_mb"]), float(data["seconds"]))
    if not 0 <= timing.model_mb < float("inf"):
        raise ValueError(f"{timing.model_mb} MB is no size of a file")
    return timing
