"""``archlab audit SPACE.yaml``"""

from contextlib import closing
from pathlib import Path

import click

from archlab.cli.options import format_option, reports_option, studies_option
from archlab.terminal.listing import print_listing


@click.command()
@click.argument("space", type=click.Path())
@click.option("--name", help="The audit's name.  [default: the YAML's file name with -audit]")
@click.option("--architectures", type=int, default=16, show_default=True, help="How many to train.")
@click.option(
    "--steps", type=click.IntRange(min=1), default=None, help="Of a long training.  [default: 10 × the last rung]"
)
@click.option("--seeds", type=click.IntRange(min=1), default=2, show_default=True, help="Trainings of each.")
@click.option("--against", help="Metric of the long training to predict.  [default: proxy.quality]")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="How many of the best to find.")
@click.option("--bar", type=click.FloatRange(0, 1), default=0.7, show_default=True, help="The least Kendall's τ.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Trainings at once, each in its own process; 0: one at a time in this one.",
)
@studies_option
@reports_option
@format_option
def audit(
    space: str,
    name: str | None,
    architectures: int,
    steps: int | None,
    seeds: int,
    against: str | None,
    top: int,
    bar: float,
    workers: int,
    studies: Path,
    reports: Path,
    form: str,
) -> None:
    """Say how well a short training orders a space's architectures, and recommend proxy.rungs and proxy.quality.

    Trains some of them for long, or goes on where it stopped. Writes studies/NAME/ and reports/NAME/audit.html.
    """
    from rich.console import Console

    from archlab.analysis.audit import audit as audit_study
    from archlab.analysis.audit import scores_table
    from archlab.files import writable_folder
    from archlab.report.audit import finding, shown_scores, write_audit
    from archlab.study import load_definition
    from archlab.study.audit import run_audit
    from archlab.study.executors import Inline, Processes
    from archlab.terminal.live import LiveDisplay

    loaded = load_definition(space)
    writable_folder(reports)
    executor = Processes(workers) if workers else Inline()
    name = f"{loaded.name}-audit" if name is None else name
    with closing(executor), LiveDisplay(Console(stderr=True), name) as display:
        if not (studies / name / "study.yaml").is_file():
            display.make_ready(loaded)
        study = run_audit(
            loaded,
            name,
            architectures=architectures,
            steps=steps,
            seeds=seeds,
            root=studies,
            watchers=(display,),
            executor=executor,
        )
    found = audit_study(study, against=against, top=top, bar=bar)
    page = write_audit(found, reports / study.name)
    table = (shown_scores(found) if form == "table" else scores_table(found)).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    print_listing([{str(name): value for name, value in row.items()} for row in rows], form)
    if form == "table":
        for line in finding(found):
            click.echo(line)
        click.echo(f"report  {page}")
        click.echo(f"yaml    {page.with_name('recommendation.yaml')}")
