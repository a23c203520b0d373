"""``archlab profile ARCH``"""

from dataclasses import asdict

import click

from archlab.cli.architectures import find_architecture
from archlab.cli.listing import format_option, print_listing


@click.command()
@click.argument("architecture")
@click.option("--width", type=float, default=1.0, show_default=True, help="Scale all channels by this factor.")
@click.option("--sample-size", type=int, help="Side of the latent.  [default: the architecture's]")
@format_option
def profile(architecture: str, width: float, sample_size: int | None, form: str) -> None:
    """Count params, MACs and activation memory, by block: a preset, a YAML or study:trial."""
    import json

    from archlab.cost import count

    spec = find_architecture(architecture).scaled(width=width, sample_size=sample_size)
    cost = count(spec)
    if form == "json":
        click.echo(json.dumps({"architecture": spec.id, **cost.to_dict()}, indent=2))
        return
    total = {name: value for name, value in asdict(cost).items() if name != "by_block"}
    rows = [*map(asdict, cost.by_block), {"name": "total", "kind": "", **total}]
    print_listing(rows, form, title=f"{architecture}: batch 1, latent {spec.sample_size}×{spec.sample_size}")
