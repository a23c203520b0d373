"""``archlab new SPACE.yaml``"""

import shlex
from pathlib import Path

import click

from archlab.errors import BadInput


@click.command()
@click.argument("space", type=click.Path(path_type=Path))
@click.option("--baseline", default="tiny", show_default=True, help="A preset, an architecture YAML, a diffusers UNet.")
@click.option("--device", default="tflite", show_default=True, help="Where latency is measured; see archlab devices.")
def new(space: Path, baseline: str, device: str) -> None:
    """Write a commented search space to begin with; an existing file is left alone."""
    from archlab.architecture.files import find
    from archlab.files import write_text
    from archlab.latency.devices.kind import kind_name
    from archlab.latency.devices.registry import KINDS
    from archlab.space.draft import draft_space

    if space.suffix not in (".yaml", ".yml"):
        raise BadInput(f"{space}: a search space is a .yaml file")
    if space.exists():
        raise BadInput(f"{space}: exists; give another name, or remove it first")
    try:
        KINDS.checked(kind_name(device))
    except ValueError as error:
        raise BadInput(f"--device: {error}") from None
    spec = find(baseline)
    name = baseline if not Path(baseline).exists() else str(Path(baseline).resolve())
    write_text(space, draft_space(name, spec, device))
    click.echo(f"wrote   {space}\nnext    {shlex.join(['archlab', 'check', str(space)])}")
