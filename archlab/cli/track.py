"""``archlab track NAME``"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.folders import studies_option
from archlab.errors import BadInput, RunFailed

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
    import tempfile

    from archlab.cli.mirror import mirror_trial, open_study_mirror, study_rows
    from archlab.report import front_info
    from archlab.report.pareto import write_pareto
    from archlab.study import load_study

    study = load_study(name, studies)
    if not study.records:
        raise BadInput(f"study {name} has no finished trial yet")
    mirror = open_study_mirror(study, wandb)
    asked = mirror.mode
    if asked == "disabled":
        raise BadInput(mirror.notice or "WANDB_MODE is disabled: choose --wandb online or --wandb offline")
    with click.progressbar(study.records, label=f"mirroring {name}", file=sys.stderr) as records:
        for record in records:
            mirror_trial(mirror, study.files, record)
    with tempfile.TemporaryDirectory() as folder:
        write_pareto(front_info(study, {word: pick.trial for word, pick in study.picks.items()}), Path(folder))
        rows = study_rows(study, Path(folder) / "pareto.png")
        mirror.study(rows)
    if mirror.mode != asked:
        raise RunFailed(str(mirror.notice))
    click.echo(mirror.place)
    if rows.prices is None:
        click.echo("no price list: no knob value has been tried beside the baseline's", err=True)
    if mirror.notice:
        click.echo(mirror.notice, err=True)
