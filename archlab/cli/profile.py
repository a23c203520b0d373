"""``archlab profile ARCH``"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from archlab.cli.architectures import find_architecture
from archlab.cli.options import format_option
from archlab.files import file_name
from archlab.terminal.listing import print_facts, print_listing

if TYPE_CHECKING:
    from archlab.architecture import UNetSpec
    from archlab.cost import Cost


@click.command()
@click.argument("architecture")
@click.option("--width", type=float, default=1.0, show_default=True, help="Scale all channels by this factor.")
@click.option("--sample-size", type=int, help="Side of the latent.  [default: the architecture's]")
@click.option(
    "--by",
    type=click.Choice(["block", "kind"]),
    default="block",
    show_default=True,
    help="Parts in the order of execution, or kinds of operators.",
)
@click.option("--steps", type=click.IntRange(min=1), default=50, show_default=True, help="Sampling steps of an image.")
@click.option(
    "--guidance/--no-guidance",
    default=True,
    show_default=True,
    help="Classifier-free guidance: the UNet runs twice a step.",
)
@click.option("--check", is_flag=True, help="Beside fvcore, thop and torch's counter, every difference explained.")
@click.option(
    "--draw",
    "stem",
    metavar="STEM",
    is_flag=False,
    flag_value="",
    help="Also draw it, as STEM.svg and STEM.png.  [STEM: reports/profile/ARCH]",
)
@format_option
def profile(
    architecture: str,
    width: float,
    sample_size: int | None,
    by: Literal["block", "kind"],
    steps: int,
    guidance: bool,
    check: bool,
    stem: str | None,
    form: str,
) -> None:
    """Count params, MACs and memory, by block or kind of operator: a preset, a YAML, a diffusers folder or
    study:trial."""
    from archlab.cost import count

    spec = find_architecture(architecture).scaled(width=width, sample_size=sample_size)
    cost = count(spec)
    image = {"steps": steps, "guidance": guidance, "macs_per_image": cost.macs_per_image(steps, guidance=guidance)}
    checks = _check(spec) if check else []
    if stem is not None:
        _draw(spec, architecture, Path(stem) if stem else Path("reports") / "profile" / file_name(architecture))
    if form == "json":
        print_facts({"architecture": spec.id, **cost.to_dict(), **image, **({"check": checks} if check else {})}, form)
        return
    if not (check and form == "csv"):
        title = f"{architecture}: batch 1, latent {spec.sample_size}×{spec.sample_size}"
        print_listing(_rows(cost, by), form, title=title)
    if form == "table":
        sizes = {f"weights_mb_{precision}": size / 1e6 for precision, size in cost.weight_bytes.items()}
        peak = {"peak_activation_mb_fp32": cost.activation_bytes / 1e6}
        print_facts({**sizes, **peak, **image}, form)
    if check:
        print_listing(checks, form, title="MACs as others count them")
    if check and form == "table":
        click.echo(f"unexplained: {sum(abs(row['unexplained']) for row in checks):,}")


def _rows(cost: "Cost", by: Literal["block", "kind"]) -> list[dict[str, Any]]:
    """One row for each part or kind, and one for the whole."""
    rows = [part._asdict() for part in (cost.by_block if by == "block" else cost.by_kind)]
    total = {name: getattr(cost, name, "") for name in rows[0]}
    return [*rows, total | {next(iter(total)): "total"}]


def _draw(spec: "UNetSpec", title: str, stem: Path) -> None:
    from archlab.drawing import draw_architecture

    for path in draw_architecture(spec, stem, title=title):
        click.echo(f"picture  {path}", err=True)


def _check(spec: "UNetSpec") -> list[dict[str, Any]]:
    from archlab.unet.counters import check

    click.echo("archlab: fvcore traces one whole pass on the CPU; a smaller --sample-size is quicker", err=True)
    return [
        {
            "tool": row.tool,
            "operators": row.operators,
            "theirs": row.theirs,
            "ours": row.ours,
            "difference": row.difference,
            "unexplained": row.unexplained,
            "why": row.why,
        }
        for row in check(spec)
    ]
