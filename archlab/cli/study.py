"""``archlab study SPACE.yaml``"""

import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archlab.cli.go_on import how_to_go_on
from archlab.cli.interrupt import say_when_interrupted
from archlab.cli.options import reports_option, set_option, studies_option, trials_option, wandb_option
from archlab.errors import BadInput, RunFailed, nearest, shown
from archlab.studies import ROOT, study_names

if TYPE_CHECKING:
    from archlab.study import Study
    from archlab.study.executors import Executor
    from archlab.tracking import MirrorMode


@click.command()
@click.argument("space", type=click.Path())
@click.option("--name", help="The study's name.  [default: the YAML's file name]")
@studies_option
@reports_option
@trials_option
@set_option
@click.option("--more", type=click.IntRange(min=1), default=None, help="So many trials on top of those that are known.")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=None,
    help="Trials at once, each in its own process; 0: one at a time in this one.  [default: 1; ray: all it has]",
)
@click.option(
    "--executor", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Where trials run."
)
@click.option("--address", help="Of the Ray cluster: host:port.  [default: $RAY_ADDRESS, or one on this computer]")
@click.option("--storage", help="Share the study with other runs: postgresql://user@host/database.")
@wandb_option
def study(
    space: str,
    name: str | None,
    studies: Path,
    reports: Path,
    trials: int | None,
    assignments: tuple[str, ...],
    more: int | None,
    workers: int | None,
    executor: str,
    address: str | None,
    storage: str | None,
    wandb: "MirrorMode",
) -> None:
    """Run a study, or go on where it stopped. Writes studies/NAME/ and reports/NAME/.

    SPACE is a search space's YAML, or the name of a study that is there already.
    """
    _check_there(space, studies)
    if trials is not None and more is not None:
        raise BadInput("--more: counts on top of what is known, --trials all; give one of them")
    say_when_interrupted(how_to_go_on(sys.argv[1:]))

    from rich.console import Console

    from archlab.analysis.health import health
    from archlab.analysis.picks import next_to_export
    from archlab.cache import root as cache_root
    from archlab.cli.resumption import Resumption
    from archlab.files import writable_folder
    from archlab.report import write_report
    from archlab.report.snapshot import snapshot
    from archlab.report.surrogate import expectation
    from archlab.study import run_study
    from archlab.study.disk import DISK
    from archlab.study.requested import requested_definition
    from archlab.study.store import check_storage
    from archlab.terminal.listing import print_remark
    from archlab.terminal.live import LiveDisplay
    from archlab.tracking.watcher import MirrorWatcher

    loaded = requested_definition(space, studies, trials, assignments)
    name = loaded.name if name is None else name
    if storage is not None:
        check_storage(storage)
    for place in (cache_root(), studies, reports):
        DISK.wait_for_room(place, lambda line: click.echo(line, err=True))
    writable_folder(reports)
    mirror = MirrorWatcher(wandb)
    with closing(_executor(executor, workers, address)) as chosen, LiveDisplay(Console(stderr=True), name) as display:
        if executor == "local" and not (studies / name / "study.yaml").is_file():
            display.make_ready(loaded)
        finished = run_study(
            loaded,
            name,
            root=studies,
            watchers=(display, mirror, Resumption(sys.argv[1:], space)),
            executor=chosen,
            storage=storage,
            more=more or 0,
        )
    if not (mirror.trials or mirror.is_confirmed):
        click.echo(
            f"study {name} is finished: nothing to do. For more trials: archlab study {shlex.quote(name)} --more 20"
        )
    table = snapshot(finished)
    page = write_report(table, reports / name, {word: pick.trial for word, pick in finished.picks.items()})
    mirror.study_finished(finished, reports / name / "pareto.png")
    _print_outcome(finished)
    for line in health(finished):
        print_remark("note", line, "yellow")
    if expected := expectation(table):
        print_remark("expect", expected)
    if mirror.remark:
        click.echo(mirror.remark)
    click.echo(f"report  {page}")
    where = [] if studies == ROOT else ["--studies", str(studies)]
    if word := next_to_export(finished.picks, finished.trials, finished.baseline_spec.id):
        click.echo(f"next    {shlex.join(['archlab', 'export', name, '--pick', word, *where])}")
    elif not finished.front.empty:
        click.echo(
            f"next    the front is the baseline alone: {shlex.join(['archlab', 'study', name, '--more', '20', *where])}"
        )
    elif (finished.trials["status"] == "failed").all():
        raise RunFailed(f"every trial failed; the last one: {finished.trials['reason'].iloc[-1]}")


def _check_there(space: str, studies: Path) -> None:
    """Refuse what is neither a file nor a study, before anything is imported that takes its time."""
    if not Path(space).is_file() and not (studies / space / "study.yaml").is_file():
        raise BadInput(f"{shown(space)}: no such file, nor a study in {studies}{nearest(space, study_names(studies))}")


def _executor(kind: str, workers: int | None, address: str | None) -> "Executor":
    from archlab.study.executors import Inline, Processes

    if kind == "ray":
        from archlab.study.executors.ray import Ray

        if workers == 0:
            raise BadInput("--workers: 0 is this process; with --executor ray give 1 or more, or leave it out")
        return Ray(address, workers)
    if address is not None:
        raise BadInput("--address: is of a Ray cluster; add --executor ray")
    return Inline() if workers == 0 else Processes(1 if workers is None else workers)


def _print_outcome(study: "Study") -> None:
    from archlab.evaluation.measures import beyond
    from archlab.terminal.front import print_front

    click.echo(f"{study.name}: {study.counts}")
    if study.front.empty:
        gates = study.trials["gate"].dropna()
        gate = str(gates.mode()[0]) if len(gates) else ""
        why = f"; most trials were {beyond([gate])} the limit on {gate}" if gate else ""
        click.echo(f"the front is empty: no trial was trained and scored{why}")
        return
    if study.reader_accuracy is not None:
        click.echo(f"the data's reader reads {study.reader_accuracy:.1%} of what held-out images show")
    print_front(study, {word: pick.trial for word, pick in study.picks.items()})
