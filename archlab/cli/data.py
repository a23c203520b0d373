"""``archlab data check SOURCE``"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archlab.cli.options import format_option
from archlab.files import file_name
from archlab.terminal.listing import print_facts, print_listing

if TYPE_CHECKING:
    from archlab.data.captioned import CaptionedImages

_SHOWN_KINDS = 3


@click.group()
def data() -> None:
    """Captioned images that proxies are trained on."""


@data.command()
@click.argument("source")
@click.option("--image-size", type=click.IntRange(min=1), default=64, show_default=True, help="Side in pixels.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the picture.  [default: reports/data/NAME of the data]"
)
@format_option
def check(source: str, image_size: int, out: Path | None, form: str) -> None:
    """Read digits, shapes, or the path of captioned images: counts, sizes, captions, what is left out, a picture.

    A path is a folder with metadata.csv or .jsonl, a folder of images with texts, WebDataset shards, or COCO captions.
    """
    from archlab.data.inspection import draw_overview, inspect

    images = _load(source, image_size)
    inspection = asdict(inspect(images))
    picture = (out or Path("reports") / "data" / file_name(images.name)) / "overview.png"
    draw_overview(images, picture)
    if form == "json":
        print_facts({**inspection, "picture": str(picture)}, form)
        return
    left_out, places = inspection.pop("left_out"), inspection.pop("places")
    counted = {name: _in_words(value) if isinstance(value, dict) else value for name, value in inspection.items()}
    print_facts({**counted, "left_out": sum(left_out.values()), "picture": str(picture)}, form)
    if form == "table" and left_out:
        rows = [{"left out": count, "why": reason, "where": places[reason]} for reason, count in left_out.items()]
        print_listing(rows, form)


def _load(source: str, image_size: int) -> "CaptionedImages":
    """The data set, with a bar on a terminal while its images are decoded."""
    from archlab.data.load import load_data
    from archlab.terminal.bar import bar

    with bar() as progress:
        return load_data(source, image_size, progress)


def _in_words(counts: Mapping[str, Any]) -> str:
    """``640×480 (812), 480×640 (90), 4 others``"""
    first = [f"{name} ({count:,})" for name, count in list(counts.items())[:_SHOWN_KINDS]]
    others = len(counts) - len(first)
    return ", ".join([*first, *([f"{others} others"] if others else [])])
