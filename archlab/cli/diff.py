"""``archlab diff A B``"""

from pathlib import Path

import click

from archlab.cli.architectures import find_architecture
from archlab.cli.options import format_option
from archlab.files import file_name
from archlab.terminal.listing import print_listing


@click.command()
@click.argument("before")
@click.argument("after")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="STEM",
    help="Write the picture as STEM.svg and STEM.png.  [default: reports/diff/A-B; none for json and csv]",
)
@format_option
def diff(before: str, after: str, out: Path | None, form: str) -> None:
    """Draw what differs between two architectures (presets, YAML files, diffusers folders or study:trial)."""
    from rich.console import Console

    from archlab.architecture import diff as compare
    from archlab.drawing import Subject, drawing_info, text_drawing, write_picture

    old, new = find_architecture(before), find_architecture(after)
    info = drawing_info(Subject(after, new), Subject(before, old))
    if form == "table" and not info.is_unchanged:
        out = out or Path("reports") / "diff" / f"{file_name(before)}-{file_name(after)}"
    pictures = write_picture(info, out) if out else ()
    if form != "table":
        print_listing([difference._asdict() for difference in compare(old, new)], form)
        return
    if info.is_unchanged:
        click.echo(f"{before} and {after} are identical: the same network ({new.id})")
    else:
        console = Console()
        drawing = text_drawing(info, console.width) if console.is_terminal else text_drawing(info)
        console.print(drawing, soft_wrap=True, highlight=False)
    for path in pictures:
        click.echo(f"picture  {path}")
