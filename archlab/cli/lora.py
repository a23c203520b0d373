"""``archlab lora train|fuse|import|export``"""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.options import loras_option, wandb_option
from archlab.cli.watched import say_how_training_goes_on, watched

if TYPE_CHECKING:
    from archlab.tracking import MirrorMode


@click.group()
def lora() -> None:
    """Teach a model a style or a subject by a small file beside it: a LoRA."""


@lora.command()
@click.argument("model")
@click.option("--data", help="What it learns: captioned images; see archlab data check.  [required]")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The LoRA's folder: loras/NAME.")
@click.option("--config", type=click.Path(path_type=Path), help="A YAML with any of the settings of docs/lora.md.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting: prompt_dropout=0.")
@click.option("--rank", type=click.IntRange(min=1), help="[default: 16]")
@click.option("--alpha", type=float, help="What is added is scaled by alpha / rank.  [default: the rank]")
@click.option(
    "--targets", metavar="REGEX", help="Layers that learn.  [default: attention, feed-forward and convolutions]"
)
@click.option("--steps", type=click.IntRange(min=1), help="Of the optimiser.  [default: 500]")
@click.option("--batch-size", type=click.IntRange(min=1), help="[default: 16]")
@click.option("--learning-rate", type=float, help="[default: 0.001]")
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
    """Train a LoRA of a model, or go on where that stopped. Writes loras/NAME/.

    MODEL is a model's folder, a diffusers folder with a noise schedule that archlab knows, or STUDY:TRIAL.
    """
    say_how_training_goes_on(out)

    from archlab.model.lora.request import requested_settings

    settings = requested_settings(config, options, assignments)

    from archlab.model.lora import train_lora

    with watched(wandb) as (display, mirror):
        folder = train_lora(model, settings, out, watchers=(display, mirror))
    click.echo(f"lora    {folder}")
    if display.start is not None:
        draw = ["archlab", "generate", model, "--lora", str(folder), "--prompt", display.start.prompt]
        click.echo(f"next    {shlex.join(draw)} --seeds 0,1,2")


@lora.command()
@click.argument("model")
@loras_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new model's folder: models/NAME.")
def fuse(model: str, loras: tuple[str, ...], out: Path) -> None:
    """Write a model with LoRAs in its weights."""
    from archlab.model.folder import save_model
    from archlab.model.load import load_models

    if not loras:
        raise click.UsageError("name what is fused: --lora FILE or --lora FILE:WEIGHT")
    (fused,) = load_models([model], loras).values()
    save_model(fused, out)
    click.echo(f"model   {out}  {fused.name}")


@lora.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", required=True, help="That it is for.")
@click.option("--without-text", is_flag=True, help="Leave out what it has for a text encoder.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The LoRA's folder: loras/NAME.")
def import_(file: Path, model: str, without_text: bool, out: Path) -> None:
    """Check that somebody's LoRA fits a model, and write it as archlab's own: from diffusers' forms and kohya's."""
    from archlab.model.load import load_model
    from archlab.model.lora.transfer import import_lora

    taken = import_lora(file, load_model(model), out, without_text=without_text)
    click.echo(f"lora    {out}  rank {taken.rank}, {len(taken.factors)} layers, {taken.params:,} params")
    click.echo(f"next    archlab generate {shlex.quote(model)} --lora {shlex.quote(str(out))} --prompt …")


@lora.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--form", type=click.Choice(["diffusers", "kohya"]), default="diffusers", show_default=True, help="For whom."
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file: NAME.safetensors.")
def export(file: Path, form: str, out: Path) -> None:
    """Write a LoRA as one file for other programs."""
    from archlab.model.lora.transfer import export_lora

    export_lora(file, form, out)
    click.echo(f"file    {out}")
