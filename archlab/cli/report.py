"""``archlab report NAME``"""

from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.option("--studies", type=click.Path(path_type=Path), default=Path("studies"), show_default=True)
@click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def report(name: str, studies: Path, reports: Path) -> None:
    """Rebuild a study's report from its table."""
    from archlab.report import write_report
    from archlab.study import load_study

    study = load_study(name, studies)
    picks = {word: pick.trial for word, pick in study.picks.items()}
    click.echo(write_report(study, reports / name, picks))
