"""``archlab presets``"""

import click

from archlab.cli.options import format_option
from archlab.terminal.listing import print_listing


@click.command()
@format_option
def presets(form: str) -> None:
    """List the UNets known by name, with params, MACs and source."""
    from archlab.architecture import preset, preset_source
    from archlab.architecture import presets as names
    from archlab.cost import count

    rows = []
    for name, about in names().items():
        spec = preset(name)
        cost = count(spec)
        rows.append(
            {
                "preset": name,
                "params": cost.params,
                "macs_g": round(cost.macs_g, 3),
                "sample_size": spec.sample_size,
                "about": about,
                "source": preset_source(name),
            }
        )
    print_listing(rows, form)
