"""What an architecture takes on a device, estimated from a table."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from archlab.architecture import UNetSpec
from archlab.errors import BadInput
from archlab.evaluation.latency import Estimate
from archlab.latency.devices.registry import runner
from archlab.latency.runner import completed
from archlab.latency.settings import read_settings
from archlab.latency.table.fit import Fit, UnknownPiece, fit
from archlab.latency.table.table import Circumstances, Table, build_command, load_table


def estimate(spec: UNetSpec, device: str = "tflite", *, table: str | Path | None = None, **settings: Any) -> Estimate:
    """Estimate ``spec.deployed`` at its own size.

    Args:
        device: a name as in `archlab.latency.devices`.
        table: the file that ``archlab latency-table build --out`` wrote; None for the one that it made without
            ``--out``: the device is asked for its versions then.
        settings: see `archlab.latency.settings.Settings`; those that decide a latency must be the table's.

    Raises:
        BadInput: there is no such device or table; the table is of another device or other settings, damaged or
            unfinished, or has no timing of a piece of the spec.
    """
    chosen = runner(device)
    complete = completed(read_settings(settings), chosen)
    if table is None:
        circumstances = Circumstances.of(chosen.name, complete, chosen.versions(complete))
        table = circumstances.default_path
        if not table.exists():
            raise BadInput(
                f"{chosen.name!r} has no latency table with these settings and versions; "
                f"make one: {build_command(chosen.name, circumstances.settings, None)}"
            )
    actual = open_table(table).table.circumstances
    wanted = {"device": chosen.name, **complete.execution()}
    for name, value in {"device": actual.device, **actual.settings}.items():
        if value != wanted[name]:
            raise BadInput(f"{table}: is a table of {name} {value}, not {wanted[name]}")
    return estimate_by(spec, table)


def estimate_by(spec: UNetSpec, table: str | Path) -> Estimate:
    """Estimate ``spec.deployed`` by a table, whatever device it is of. No device is asked anything.

    Raises:
        BadInput: the table is absent, damaged or unfinished, or has no timing of a piece of the spec.
    """
    opened = open_table(table)
    circumstances = opened.table.circumstances
    try:
        median_ms = opened.fit.predict_ms(spec)
    except UnknownPiece as error:
        command = build_command(circumstances.device, circumstances.settings, Path(table))
        raise BadInput(f"{table}: {error}; measure it with a space that reaches {spec.id}: {command}") from None
    band, errors = opened.fit.band, opened.fit.errors
    return Estimate(
        median_ms=median_ms,
        low_ms=max(median_ms * (1 - band), 0.0),
        high_ms=median_ms * (1 + band),
        provenance={
            "device": circumstances.device,
            "kind": "estimated",
            "table": opened.id,
            "band": f"{opened.fit.level:.0%}, conformal on the leave-one-out errors of {len(errors)} networks",
            **circumstances.versions,
            **circumstances.settings,
            "architecture": spec.deployed.id,
            "measured_at": opened.table.measured_at,
        },
    )


class OpenTable(NamedTuple):
    """A table read and fitted."""

    id: str
    table: Table
    fit: Fit


def open_table(path: str | Path) -> OpenTable:
    """Read and fit a table, once for as long as the file stays the same.

    Raises:
        BadInput: it is absent, damaged, or has too few whole networks yet.
    """
    path = Path(path)
    return _opened(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=8)
def _opened(path: Path, modified_ns: int) -> OpenTable:
    table = load_table(path)
    try:
        return OpenTable(table.id, table, fit(table))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
