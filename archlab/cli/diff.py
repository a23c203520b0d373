"""``archlab diff A B``"""

import click

from archlab.cli.architectures import find_architecture
from archlab.cli.listing import format_option, print_listing


@click.command()
@click.argument("before")
@click.argument("after")
@format_option
def diff(before: str, after: str, form: str) -> None:
    """List what differs between two architectures (presets, YAML files or study:trial)."""
    from archlab.architecture import diff as compare

    found = compare(find_architecture(before), find_architecture(after))
    print_listing([difference._asdict() for difference in found], form)
