"""``archlab train ARCH --out models/NAME``"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.architectures import find_architecture, study_of
from archlab.cli.options import wandb_option
from archlab.cli.watched import say_how_training_goes_on, watched

if TYPE_CHECKING:
    from archlab.architecture import UNetSpec
    from archlab.model.settings import ModelSettings
    from archlab.tracking import MirrorMode


@click.command()
@click.argument("architecture")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The model's folder: models/NAME.")
@click.option("--config", type=click.Path(path_type=Path), help="A YAML with any of the settings of docs/train.md.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting: training.ema_decay=0.999.")
@click.option("--data", help="digits, shapes, or captioned images: a folder, shards, COCO captions.")
@click.option("--vae", help="A diffusers folder with a VAE; otherwise pixels.")
@click.option("--text", help="A transformers folder with CLIP's text encoder; otherwise fixed word vectors.")
@click.option("--teacher", help="Learn from it, too: a model, a diffusers folder, STUDY:TRIAL or STUDY:baseline.")
@click.option("--init", type=click.Choice(["random", "inherit"]), help="inherit: begin with the teacher's weights.")
@click.option("--steps", type=click.IntRange(min=1), help="Of the optimiser.  [default: 1000]")
@click.option("--batch-size", type=click.IntRange(min=1), help="Images a step, of each process.  [default: 64]")
@click.option("--learning-rate", type=float, help="[default: 0.002]")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="[default: fp32]")
@click.option("--scale", type=float, metavar="WIDTH", help="Channels times this.  [default: 1]")
@click.option("--sample-size", type=click.IntRange(min=1), help="Side of latents.  [default: the study's, or ARCH's]")
@click.option("--seed", type=click.IntRange(min=0), help="[default: 0]")
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Train in so many at once.")
@wandb_option
@click.option("--dry-run", is_flag=True, help="Say what memory a step takes, and train nothing.")
def train(
    architecture: str,
    out: Path,
    config: Path | None,
    assignments: tuple[str, ...],
    processes: int,
    wandb: "MirrorMode",
    dry_run: bool,
    scale: float | None,
    sample_size: int | None,
    **options: str | float | None,
) -> None:
    """Train an architecture to a model that draws, or go on where a training stopped. Writes models/NAME/.

    ARCH is a preset, an architecture YAML, a diffusers folder, STUDY:TRIAL, STUDY:PICK or STUDY:baseline; a study's
    brings the study's data, encoders and objective with it.
    """
    spec, study = find_architecture(architecture), study_of(architecture)
    say_how_training_goes_on(out)

    from archlab.model.train.request import planned_settings, requested_settings

    size = {key: value for key, value in (("width", scale), ("sample_size", sample_size)) if value is not None}
    written = None if study is None else study.proxy, config, {**options, "scale": size or None}, assignments
    if dry_run:
        _print_plan(spec, *planned_settings(*written), processes)
        return
    settings = requested_settings(*written)

    from archlab.model.train.launch import is_first, is_launched, launch

    if processes > 1 and not is_launched():
        click.get_current_context().exit(launch(processes, sys.argv[1:]))

    from archlab.model.train import train_model

    with watched(wandb) as (display, mirror):
        folder = train_model(spec, settings, out, watchers=(display, mirror))
    if not is_first():
        return
    click.echo(f"model   {folder}")
    if display.start is not None:
        draw = ["archlab", "generate", str(folder), "--prompt", display.start.prompt]
        click.echo(f"next    {shlex.join(draw)} --seeds 0,1,2")


def _print_plan(spec: "UNetSpec", settings: "ModelSettings", has_data: bool, processes: int) -> None:
    """A teacher may be any architecture here: its weights are not needed."""
    from archlab.evaluation.fact import to_plain
    from archlab.model.train.plan import plan_training
    from archlab.terminal.listing import print_facts

    teacher = None if settings.teacher is None else find_architecture(settings.teacher)
    print_facts(to_plain(plan_training(spec, settings, processes, teacher, has_data=has_data)), "table")
