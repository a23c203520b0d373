"""``archlab distill MODEL --steps 8,4,1``"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.options import wandb_option
from archlab.cli.watched import say_how_training_goes_on, watched
from archlab.errors import BadInput, shown

if TYPE_CHECKING:
    from archlab.model.distill import DistillSettings
    from archlab.tracking import MirrorMode


@click.command()
@click.argument("model")
@click.option("--steps", default="8", show_default=True, help="In which students draw: 8 or 8,4,1; each is a model.")
@click.option("--method", type=click.Choice(["progressive", "ufogen", "dmd2"]), help="[default: progressive]")
@click.option("--out", type=click.Path(path_type=Path), help="The model's folder.  [default: models/NAME-STEPS]")
@click.option("--config", type=click.Path(path_type=Path), help="A YAML with any of the settings of docs/distill.md.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting: ufogen.gap=0.5.")
@click.option("--teacher", help="Another model to learn from.  [default: MODEL itself]")
@click.option("--guidance", type=float, help="That is folded in, so that a step is one pass.  [default: the teacher's]")
@click.option("--data", help="As in archlab train.  [default: what MODEL was trained on]")
@click.option("--updates", type=click.IntRange(min=1), help="Steps of the optimiser in each phase.  [default: 500]")
@click.option("--batch-size", type=click.IntRange(min=1), help="[default: 64]")
@click.option("--learning-rate", type=float, help="[default: 0.001]")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="[default: fp32]")
@click.option("--seed", type=click.IntRange(min=0), help="[default: 0]")
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Distil in so many at once."
)
@wandb_option
def distill(
    model: str,
    steps: str,
    out: Path | None,
    config: Path | None,
    assignments: tuple[str, ...],
    processes: int,
    wandb: "MirrorMode",
    **options: str | float | None,
) -> None:
    """Teach a model to draw in fewer steps, each of one pass, or go on where that stopped. Writes models/NAME-STEPS/.

    MODEL is a model's folder, a diffusers folder with a noise schedule that archlab knows, or STUDY:TRIAL. Of several
    numbers of steps each student of the method progressive begins with the one before.
    """
    counts = _counts(steps)
    if out is not None and len(counts) > 1:
        raise BadInput(f"--out: names one model, and --steps asks for {len(counts)}; leave it out")

    from archlab.model.distill.request import place_of, requested_settings

    all_settings = [requested_settings(config, {**options, "steps": count}, assignments) for count in counts]

    from archlab.model.train.launch import is_first, is_launched, launch

    if processes > 1 and not is_launched():
        click.get_current_context().exit(launch(processes, sys.argv[1:]))
    for settings in all_settings:
        folder = out or place_of(model, settings.steps)
        say_how_training_goes_on(folder)
        _distill(model, settings, folder, wandb)
        if is_first():
            click.echo(f"model   {folder}")
        if settings.method == "progressive":
            model = str(folder)


def _distill(model: str, settings: "DistillSettings", folder: Path, wandb: "MirrorMode") -> None:
    from archlab.model.distill import distill_model

    with watched(wandb) as (display, mirror):
        distill_model(model, settings, folder, watchers=(display, mirror))


def _counts(steps: str) -> list[int]:
    """``8,4,1`` as numbers that fall."""
    parts = [part.strip() for part in steps.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise BadInput(f"--steps: must be a number or several, like 8 or 8,4,1, not {shown(steps)}")
    counts = [int(part) for part in parts]
    if counts != sorted(set(counts), reverse=True):
        raise BadInput(f"--steps: must fall, like 8,4,1, not {shown(steps)}")
    return counts
