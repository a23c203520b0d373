"""``archlab devices``"""

from dataclasses import asdict

import click

from archlab.cli.listing import format_option, print_listing


@click.command()
@format_option
def devices(form: str) -> None:
    """List what can be measured on from here, and what is missing for the rest."""
    from archlab.latency import devices as list_devices

    print_listing([asdict(status) for status in list_devices()], form)
