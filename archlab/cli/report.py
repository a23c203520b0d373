"""``archlab report NAME``"""

import gc
from pathlib import Path

import click

from archlab.cli.options import reports_option, studies_option
from archlab.studies import check_study


@click.command()
@click.argument("name")
@studies_option
@reports_option
def report(name: str, studies: Path, reports: Path) -> None:
    """Rebuild a study's report from its table."""
    check_study(name, studies)
    gc.disable()  # looking for garbage took a tenth of the time, and all of it is gone in a moment

    from archlab.report import write_report
    from archlab.study import load_study

    study = load_study(name, studies)
    picks = {word: pick.trial for word, pick in study.picks.items()}
    click.echo(write_report(study, reports / name, picks))
