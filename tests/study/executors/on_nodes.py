"""Stand-ins for `evaluate` on the nodes of a Ray cluster; the trial's folder says which one it is."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from archlab.cost import count
from archlab.evaluation import Evaluation
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job
from tests.made_up_facts import proxy_result
from tests.study.executors import made_up
from tests.study.faults import paused


def by_folder(job: Job, callbacks: Callbacks) -> Evaluation:
    """One executor serves every test: processes on two nodes take their time to start."""
    if len(job.settings.proxy.rungs) > 1:
        return pausing(job, callbacks)
    choices = {"curious": made_up.curious, "crashing": made_up.crashing, "slow": made_up.slow, "deadly": deadly}
    return choices.get(job.folder.name, steady)(job, callbacks)


def steady(job: Job, callbacks: Callbacks) -> Evaluation:
    """Notes every beginning, says where it runs, and takes its time: on a doomed node no second trial ends, on others
    none does until that one has begun."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / "curve.csv").open("a") as file:
        file.write("begun\n")
    here = trials_of_doomed(node())
    if is_doomed := job.number is not None and here.is_file():
        here.write_text(here.read_text() + "begun\n")
    callbacks.progress(f"train on {node()}", 0.0)
    time.sleep(60 if is_doomed and begun(here) == 2 else 0.2)
    while job.number is not None and any(begun(trials) < 2 for trials in all_doomed() if trials != here):
        time.sleep(0.05)
    cost = count(job.spec)
    proxy = proxy_result(1 / cost.params_m)
    return Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)


def pausing(job: Job, callbacks: Callbacks) -> Evaluation:
    """Says where it runs, and trains from where it was paused to the rung that was chosen."""
    job.folder.mkdir(parents=True, exist_ok=True)
    callbacks.progress(f"train on {node()}", 0.0)
    time.sleep(0.2)
    return paused.train(job, callbacks)


def deadly(job: Job, callbacks: Callbacks) -> Evaluation:
    """Ends the actor that it is a trial of: its parent is the server of processes, whose parent is the actor."""
    parent = psutil.Process(os.getppid()).parent()
    assert parent is not None
    parent.send_signal(signal.SIGKILL)
    time.sleep(60)
    raise AssertionError


@contextmanager
def doomed(node: object) -> Iterator[None]:
    """No second trial ends on it meanwhile."""
    trials = trials_of_doomed(node)
    trials.touch()
    try:
        yield
    finally:
        trials.unlink()


def trials_of_doomed(node: object) -> Path:
    """A line for each trial that began on this node; there is no file unless the node is doomed."""
    return Path(tempfile.gettempdir()) / f"archlab-doomed-{node}.txt"


def all_doomed() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("archlab-doomed-*.txt"))


def begun(trials: Path) -> int:
    return len(trials.read_text().split())


def node() -> str:
    """The process number of the node's raylet; of no node, ``None``."""
    return str(os.environ.get("RAY_RAYLET_PID"))
