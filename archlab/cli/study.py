"""``archlab study SPACE.yaml``"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.folders import DEFAULT_STUDIES, reports_option, studies_option
from archlab.errors import RunFailed

if TYPE_CHECKING:
    from archlab.study import Study
    from archlab.tracking import MirrorMode

EXIT_INTERRUPTED = 130


@click.command()
@click.argument("space", type=click.Path())
@click.option("--name", help="The study's name.  [default: the YAML's file name]")
@studies_option
@reports_option
@click.option(
    "--wandb",
    type=click.Choice(["auto", "offline", "online", "disabled"]),
    default="auto",
    show_default=True,
    help="auto: online when logged in, offline otherwise.",
)
def study(space: str, name: str | None, studies: Path, reports: Path, wandb: "MirrorMode") -> None:
    """Run a study, or go on where it stopped. Writes studies/NAME/ and reports/NAME/."""
    from rich.console import Console

    from archlab.cli.live import LiveDisplay
    from archlab.cli.mirror import MirrorWatcher
    from archlab.files import writable_folder
    from archlab.report import write_report
    from archlab.space import load_space
    from archlab.study import run_study

    loaded = load_space(space)
    name = loaded.name if name is None else name
    writable_folder(reports)
    mirror = MirrorWatcher(wandb)
    with LiveDisplay(Console(stderr=True)) as display:
        try:
            finished = run_study(loaded, name, root=studies, watchers=(display, mirror))
        except KeyboardInterrupt:
            again = shlex.join(["archlab", *sys.argv[1:]])
            click.echo(f"\nstopped; every finished trial is kept. To go on: {again}", err=True)
            sys.exit(EXIT_INTERRUPTED)
    if not mirror.trials:
        click.echo(f"study {name} is finished: nothing to do. For more trials, raise search.trials in {space}")
    page = write_report(finished, reports / name, {word: pick.trial for word, pick in finished.picks.items()})
    mirror.study_finished(finished, reports / name / "pareto.png")
    _print_front(finished)
    if mirror.notice:
        click.echo(mirror.notice)
    click.echo(f"report  {page}")
    if not finished.front.empty:
        where = [] if studies == DEFAULT_STUDIES else ["--studies", str(studies)]
        click.echo(f"next    {shlex.join(['archlab', 'export', name, '--pick', 'knee', *where])}")
    elif (finished.trials["status"] == "failed").all():
        raise RunFailed(f"every trial failed; the last one: {finished.trials['reason'].iloc[-1]}")


def _print_front(study: "Study") -> None:
    from archlab.cli.listing import print_listing

    counts = study.trials["status"].value_counts()
    click.echo(f"{study.name}: " + ", ".join(f"{number} {status}" for status, number in counts.items()))
    if study.front.empty:
        gates = study.trials["gate"].dropna()
        why = f"; most trials were over the limit on {gates.mode()[0]}" if len(gates) else ""
        click.echo(f"the front is empty: no trial was trained and scored{why}")
        return
    if study.feature_accuracy is not None:
        click.echo(f"fid's feature network names {study.feature_accuracy:.1%} of held-out images rightly")
    picked: dict[int, list[str]] = {}
    for word, pick in study.picks.items():
        picked.setdefault(pick.trial, []).append(word)
    kinds = [name for name in map(str, study.front) if name.startswith("latency_kind")]
    unusual = [name for name in kinds if study.front[name].dropna().ne("measured").any()]
    columns = ["trial", *study.objectives, *unusual, "params_m", "macs_g", *study.knobs]
    rows = [
        {"pick": " ".join(picked.get(int(row["trial"]), [])), **{name: row[name] for name in dict.fromkeys(columns)}}
        for _, row in study.front.iterrows()
    ]
    print_listing(rows, "table", title=f"Pareto front (quality: {study.quality_label}; lower is better)")
