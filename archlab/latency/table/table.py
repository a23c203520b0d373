"""The table itself: one file with every timing of pieces and whole networks on one device."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import ConfigDict

from archlab.architecture import ArchitectureError, UNetSpec
from archlab.cache import Kind, content_hash
from archlab.errors import BadInput
from archlab.evaluation.fact import STRICT, from_plain, to_json, to_plain
from archlab.files import read_json, write_text
from archlab.latency.settings import Settings
from archlab.latency.table.pieces import Piece

Role = Literal["fit", "check"]
ROLES: tuple[Role, ...] = get_args(Role)

LATENCY_TABLES = Kind("latency_tables", "latency tables that were built without --out", evictable=False)

_OLD_FORMATS = ("archlab latency table 1",)
_MOST = 1e9  # milliseconds and megabytes: beyond any network
_MEND = "restore it, or build the table again"


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

    Raises:
        ValueError: on construction, for what cannot have been measured.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    bursts: list[Burst] = field(default_factory=list)
    model_mb: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        for burst in self.bursts:
            if not (0 < burst.median_ms < _MOST and 0 < burst.reference_ms < _MOST):
                raise ValueError(f"{burst.median_ms} and {burst.reference_ms} ms are no latencies")
        if not 0 <= self.model_mb < _MOST:
            raise ValueError(f"{self.model_mb} MB is no size of a file")

    @property
    def ratio(self) -> float:
        """The least ratio to the reference: drift is in both, and what disturbs a burst only adds to it."""
        return min(burst.median_ms / burst.reference_ms for burst in self.bursts)


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a table is of: another device, thread count, precision or version is another table."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    device: str
    settings: dict[str, str | bool | int | None]
    versions: dict[str, str]

    @classmethod
    def of(cls, device: str, settings: Settings, versions: Mapping[str, str]) -> "Circumstances":
        """Of the settings, those that decide a latency."""
        return cls(device=device, settings=settings.execution(), versions=dict(versions))

    @property
    def flat(self) -> dict[str, Any]:
        """Device, settings and versions in one dictionary."""
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
        return content_hash(to_plain(_as_file(self)))

    @property
    def reference_ms(self) -> float:
        """The reference's typical latency, which turns ratios into milliseconds."""
        return median(burst.reference_ms for timing in self.timings() for burst in timing.bursts)

    def timings(self) -> Iterable[Timing]:
        """Every timing of the table."""
        yield self.idle
        yield from self.pieces.values()
        for timings in self.whole.values():
            yield from timings.values()


@dataclass(frozen=True, kw_only=True)
class _PieceTiming:
    piece: Piece
    timing: Timing


@dataclass(frozen=True, kw_only=True)
class _WholeTiming:
    architecture: UNetSpec
    timing: Timing


@dataclass(frozen=True, kw_only=True)
class _File:
    """A table as it is on disk."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    format: Literal["archlab latency table 2"] = "archlab latency table 2"
    circumstances: Circumstances
    measured_at: str
    seconds: float
    reference: Piece
    idle: Timing
    pieces: tuple[_PieceTiming, ...]
    whole: dict[Role, tuple[_WholeTiming, ...]]


def save_table(table: Table, path: Path) -> None:
    """Write it whole or not at all."""
    write_text(path, to_json(_as_file(table)))


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
    if data.get("format") != _File.format:
        raise BadInput(f"{path}: is not a latency table; archlab latency-table build makes one")
    try:
        file = from_plain(_File, data, path, _MEND)
    except ArchitectureError as error:
        raise BadInput(f"{path}: damaged: {error}; {_MEND}") from None
    return Table(
        circumstances=file.circumstances,
        reference=file.reference,
        idle=file.idle,
        pieces={each.piece: each.timing for each in file.pieces},
        whole={role: {each.architecture: each.timing for each in file.whole.get(role, ())} for role in ROLES},
        measured_at=file.measured_at,
        seconds=file.seconds,
    )


def _as_file(table: Table) -> _File:
    return _File(
        circumstances=table.circumstances,
        measured_at=table.measured_at,
        seconds=table.seconds,
        reference=table.reference,
        idle=table.idle,
        pieces=tuple(_PieceTiming(piece=piece, timing=timing) for piece, timing in table.pieces.items()),
        whole={
            role: tuple(_WholeTiming(architecture=spec, timing=timing) for spec, timing in timings.items())
            for role, timings in table.whole.items()
        },
    )


def build_command(device: str, settings: Mapping[str, Any], path: Path | None) -> str:
    """The command line that measures what a table lacks."""
    options = [_option(name, value) for name, value in settings.items() if value is not None and value is not False]
    out = [] if path is None else [f"--out {path}"]
    return " ".join(["archlab latency-table build", f"--device {device}", "--space SPACE.yaml", *options, *out])


def _option(name: str, value: Any) -> str:
    option = f"--{name.replace('_', '-')}"
    return option if value is True else f"{option} {value}"
