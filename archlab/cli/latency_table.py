"""``archlab latency-table build`` and ``archlab latency-table show``"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archlab.cli.execution import execution_options
from archlab.cli.options import format_option
from archlab.terminal.listing import print_facts, shown

if TYPE_CHECKING:
    from archlab.latency.table.build import Step

_SECONDS_BETWEEN_LINES = 10.0


@click.group("latency-table")
def latency_table() -> None:
    """Measure a search space's pieces once on a device; then estimate any of its architectures."""


@latency_table.command()
@click.option("--space", required=True, type=click.Path(), help="The search space whose pieces are measured.")
@execution_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The table's file.  [default: in the cache, where estimate() looks for it]",
)
@click.option("--width", type=float, default=1.0, show_default=True, help="Scale all channels by this factor.")
@click.option("--sample-size", type=int, help="Side of the latent.  [default: the space's]")
@click.option("--fit", "fitted", type=click.IntRange(min=3), default=24, show_default=True, help="Whole networks.")
@click.option("--check", "checked", type=click.IntRange(min=1), default=20, show_default=True, help="Held out.")
@format_option
def build(space: str, device: str, out: Path | None, form: str, **options: Any) -> None:
    """Build a table, or go on where it was stopped; measure what it lacks; say how good it is."""
    from archlab.latency.table.build import build_table
    from archlab.space import load_space

    built = build_table(load_space(space), device, out, **options, progress=_Lines())
    if not built.proven:
        click.echo(
            "the space is too large to try every combination: a rare architecture may have a new piece", err=True
        )
    _print_table(built.path, form)


@latency_table.command()
@click.argument("table", type=click.Path(path_type=Path))
@format_option
def show(table: Path, form: str) -> None:
    """Show what a table is of, how it was fitted, and how good it is on architectures held out."""
    _print_table(table, form)


def _print_table(path: Path, form: str) -> None:
    from dataclasses import asdict

    from archlab.latency.table.audit import audit
    from archlab.latency.table.estimate import open_table

    opened = open_table(path)
    table = opened.table
    facts: dict[str, Any] = {
        "table": str(path),
        "id": opened.id,
        "device": table.circumstances.device,
        **table.circumstances.settings,
        **table.circumstances.versions,
        "measured_at": table.measured_at,
        "build_s": table.seconds,
        "pieces": len(table.pieces),
        "reference_ms": table.reference_ms,
        "networks_fitted": len(opened.fit.errors),
        **{f"weight_{name}": value for name, value in opened.fit.corrections().items()},
        "band_percent": 100 * opened.fit.band,
        "band_level": opened.fit.level,
        **{f"held_out_{name}": value for name, value in asdict(audit(table, opened.fit)).items()},
    }
    print_facts(facts, form)


class _Lines:
    """A line every few seconds on the standard error."""

    def __init__(self) -> None:
        self.last = 0.0

    def __call__(self, step: "Step") -> None:
        if time.monotonic() - self.last > _SECONDS_BETWEEN_LINES or step.done == step.bursts:
            self.last = time.monotonic()
            left = f"about {shown(round(step.seconds_left / 60))} min left"
            click.echo(f"{step.done:,} of {step.bursts:,} bursts, {left}: {step.name}", err=True)
