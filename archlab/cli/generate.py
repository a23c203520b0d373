"""``archlab generate MODEL …``"""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.number_lists import Numbers
from archlab.cli.options import loras_option
from archlab.errors import BadInput, RunFailed
from archlab.files import file_name

if TYPE_CHECKING:
    from archlab.evaluation import Latency
    from archlab.model import Model
    from archlab.progress import Progress

ROOT = Path("generated")


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@loras_option
@click.option("--prompts", "file", type=click.Path(path_type=Path), help="A text file, one prompt a line.")
@click.option("--prompt", "texts", multiple=True, help="A prompt; may be given several times.")
@click.option("--seeds", type=Numbers(0), default="0", show_default=True, help="Of the noise: 0,1,2")
@click.option("--steps", type=click.IntRange(min=1), help="Of sampling.  [default: the model's own]")
@click.option("--guidance", type=click.FloatRange(min=0), help="1: none.  [default: the model's own]")
@click.option(
    "--control",
    "along",
    metavar="FOLDER:PICTURE[:SCALE]",
    help="Draw along a picture, by what archlab control train has made.  [default scale: 1]",
)
@click.option(
    "--latency/--no-latency", "timed", default=True, show_default=True, help="Of several models, on this computer."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: generated/MODEL]")
def generate(
    models: tuple[str, ...],
    loras: tuple[str, ...],
    file: Path | None,
    texts: tuple[str, ...],
    seeds: tuple[int, ...],
    steps: int | None,
    guidance: float | None,
    along: str | None,
    timed: bool,
    out: Path | None,
) -> None:
    """Draw pictures with models: folders of archlab's or diffusers', exports, or study:trial.

    Writes a PNG for each prompt and seed, with its settings in its texts, and all as grid.png; of several models a
    page that shows them side by side.
    """
    if bool(file) == bool(texts):
        raise BadInput("name what to draw, either --prompts FILE, one a line, or --prompt TEXT, as often as you like")

    from archlab.cost import count
    from archlab.model.controls.load import load_named_control
    from archlab.model.generate import draw_pictures, read_prompts
    from archlab.model.load import load_models
    from archlab.model.pictures import GRID_FILE, Asked, file_stems
    from archlab.report.gallery import Column, write_gallery
    from archlab.terminal.bar import bar

    asked = Asked(prompts=read_prompts(file) if file else texts, seeds=seeds, steps=steps, guidance=guidance)
    loaded = load_models(models, loras)
    controls = {name: None if along is None else load_named_control(along, model) for name, model in loaded.items()}
    folder = out or ROOT / file_name("+".join(loaded))
    stems, columns = file_stems(list(loaded)), []
    with bar() as progress:
        for name, model in loaded.items():
            place = folder / stems[name] if len(loaded) > 1 else folder
            report = partial(progress, f"draw with {name}")
            drawn = draw_pictures(model, name, asked, place, report, control=controls[name])
            for line in drawn.remarks:
                click.echo(f"{name}: {line}", err=True)
            latency = _latency(name, model, progress) if timed and len(loaded) > 1 else None
            cost = count(model.spec)
            columns.append(Column(drawn, latency, cost.params_m, cost.macs_g))
    click.echo(f"pictures  {sum(len(column.drawn.pictures) for column in columns)} in {folder}")
    for column in columns:
        click.echo(f"grid      {column.drawn.folder / GRID_FILE}")
    if len(columns) > 1:
        click.echo(f"page      {write_gallery(columns, ' · '.join(loaded), folder)}")
    click.echo(f"next      archlab score {shlex.join(models)}")


def _latency(name: str, model: "Model", progress: "Progress") -> "Latency | None":
    """Of a pass; None, and why, where it cannot be measured: the pictures are there."""
    from archlab.latency import measure

    try:
        return measure(model.spec, progress=progress)
    except (BadInput, RunFailed) as error:
        click.echo(f"{name}: no latency: {error}", err=True)
        return None
