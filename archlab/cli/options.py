"""Options that several commands share."""

from pathlib import Path

import click

from archlab.studies import ROOT

studies_option = click.option("--studies", type=click.Path(path_type=Path), default=ROOT, show_default=True)
reports_option = click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
format_option = click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
trials_option = click.option("--trials", type=click.IntRange(min=1), help="So many, whatever search.trials says.")
set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting over the YAML's: proxy.seeds=3; may be given several times.",
)
wandb_option = click.option(
    "--wandb",
    type=click.Choice(["auto", "offline", "online", "disabled"]),
    default="auto",
    show_default=True,
    help="auto: online when logged in, offline otherwise.",
)
loras_option = click.option(
    "--lora",
    "loras",
    multiple=True,
    metavar="FILE[:WEIGHT]",
    help="A LoRA in the model's weights: loras/thick:0.8; may be given several times.",
)
