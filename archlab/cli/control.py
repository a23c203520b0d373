"""``archlab control train``, ``archlab control edges`` and ``archlab control score``"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.number_lists import Numbers
from archlab.cli.options import format_option, wandb_option
from archlab.cli.watched import say_how_training_goes_on, watched

if TYPE_CHECKING:
    from archlab.tracking import MirrorMode


@click.group("control")
def control() -> None:
    """Draw along a picture, by a ControlNet or a T2I-Adapter: train one, find edges, score."""


@control.command()
@click.argument("model")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The control's folder: controls/NAME.")
@click.option(
    "--kind",
    type=click.Choice(["controlnet", "adapter"]),
    help="controlnet runs beside every pass, adapter once an image.  [default: adapter]",
)
@click.option(
    "--condition", metavar="edges|FOLDER", help="FOLDER: pictures with the names of the images.  [default: edges]"
)
@click.option("--config", type=click.Path(path_type=Path), help="A YAML with any of the settings of docs/control.md.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting: edge_sigma=0.5.")
@click.option("--data", help="As in archlab train.  [default: what MODEL was trained on]")
@click.option("--steps", type=click.IntRange(min=1), help="Of the optimiser.  [default: 1000]")
@click.option("--batch-size", type=click.IntRange(min=1), help="[default: 32]")
@click.option("--learning-rate", type=float, help="[default: 0.0005]")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="[default: fp32]")
@click.option("--seed", type=click.IntRange(min=0), help="[default: 0]")
@wandb_option
def train(
    model: str,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    wandb: "MirrorMode",
    **options: str | float | None,
) -> None:
    """Train what makes a model draw along pictures, or go on where that stopped. Writes controls/NAME/.

    MODEL, a model's folder, one of diffusers' or STUDY:TRIAL, stays as it is.
    """
    from archlab.model.controls.request import requested_settings

    settings = requested_settings(config, options, assignments)
    say_how_training_goes_on(out)

    from archlab.model.controls.train import train_control

    with watched(wandb) as (display, mirror):
        train_control(model, settings, out, watchers=(display, mirror))
    click.echo(f"control {out}")
    if display.start is not None:
        draw = ["archlab", "generate", model, "--control", f"{out}:PICTURE", "--prompt", display.start.prompt]
        click.echo(f"next    {shlex.join(draw)}")


@control.command("edges")
@click.argument("picture", type=click.Path(path_type=Path))
@click.option("--size", type=click.IntRange(min=1), required=True, help="Side of the model's images, in pixels.")
@click.option("--sigma", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The PNG to write.")
def find_edges(picture: Path, size: int, sigma: float, out: Path) -> None:
    """Write a picture's edges as controls of edges are shown them."""
    from archlab.model.controls.edges import write_edges

    write_edges(picture, out, size, sigma)
    click.echo(f"edges   {out}")


@control.command()
@click.argument("model")
@click.option("--control", "folder", type=click.Path(path_type=Path), required=True, help="The control's folder.")
@click.option(
    "--steps",
    type=Numbers(1, word="native"),
    default="native",
    show_default=True,
    help="Of sampling: 50,8,1; native is the model's own number.",
)
@click.option("--images", type=click.IntRange(min=1), default=128, show_default=True, help="Of each row.")
@click.option("--scale", type=click.FloatRange(min=0), default=1.0, show_default=True, help="As in archlab generate.")
@format_option
def score(model: str, folder: Path, steps: tuple[int | None, ...], images: int, scale: float, form: str) -> None:
    """Say how far the edges of what a model draws are those that it was given, with a control of edges and without."""
    from archlab.evaluation.fact import to_plain
    from archlab.model import load_model
    from archlab.model.controls.score import score_control
    from archlab.terminal.bar import bar
    from archlab.terminal.listing import print_listing

    with bar() as progress:
        rows = list(score_control(load_model(model, device="auto"), folder, steps, images, scale, progress))
    print_listing([to_plain(row) for row in rows], form)
