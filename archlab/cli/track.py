"""``archlab track NAME``"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.options import studies_option
from archlab.errors import BadInput
from archlab.studies import check_study

if TYPE_CHECKING:
    from archlab.tracking import MirrorMode


@click.command()
@click.argument("name")
@studies_option
@click.option(
    "--wandb",
    type=click.Choice(["auto", "offline", "online"]),
    default="auto",
    show_default=True,
    help="auto: online when logged in, offline otherwise.",
)
def track(name: str, studies: Path, wandb: "MirrorMode") -> None:
    """Rebuild a study's W&B mirror from its table: a run for each trial and one for the study."""
    check_study(name, studies)

    import tempfile

    from archlab.report import front_info
    from archlab.report.pareto import write_pareto
    from archlab.study import load_study
    from archlab.tracking.of_study import mirror_whole, open_study_mirror

    study = load_study(name, studies)
    if not study.records:
        raise BadInput(f"study {name} has no finished trial yet")
    mirror = open_study_mirror(study, wandb)
    if mirror.mode == "disabled":
        raise BadInput(mirror.notice or "WANDB_MODE is disabled: choose --wandb online or --wandb offline")
    picks = {word: pick.trial for word, pick in study.picks.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        click.progressbar(study.records, label=f"mirroring {name}", file=sys.stderr) as records,
    ):
        write_pareto(front_info(study, picks), Path(folder))
        rows = mirror_whole(mirror, study, records, Path(folder) / "pareto.png")
    click.echo(mirror.place)
    if rows.prices is None:
        click.echo("no price list: no knob value has been tried beside the baseline's", err=True)
    if mirror.notice:
        click.echo(mirror.notice, err=True)
