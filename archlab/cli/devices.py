"""``archlab devices``"""

from dataclasses import asdict

import click

from archlab.cli.options import format_option
from archlab.terminal.listing import print_listing


@click.command()
@format_option
def devices(form: str) -> None:
    """List what can be measured on from here, and what is missing for the rest."""
    from archlab.latency import devices as list_devices

    statuses = list_devices()
    if form != "table":
        print_listing([{**asdict(status), "available": status.available} for status in statuses], form)
        return
    width = max(len(status.name) for status in statuses)
    for status in statuses:
        click.echo(f"{'✓' if status.available else '✗'} {status.name.ljust(width)}  {status.about}")
        if not status.available:
            click.echo(f"  {'':{width}}  missing: {status.missing}")
            click.echo(f"  {'':{width}}  mend:    {status.mend}")
