"""A driver of a study that pauses trainings at rungs, in a process that may be killed at any moment."""

import time
from contextlib import closing
from pathlib import Path

from archlab.cost import count
from archlab.evaluation import Evaluation
from archlab.files import write_text
from archlab.study.callbacks import Callbacks
from archlab.study.definition import load_definition
from archlab.study.driver import Driver
from archlab.study.evaluate import Job
from archlab.study.executors import Inline
from archlab.study.folder import study_folder
from archlab.study.store import open_store
from tests.made_up_facts import proxy_result
from tests.study.conftest import Threads
from tests.study.faults.training import note

GRACE_SECONDS = 0.5  # for what a killed driver left in a database
_SECONDS = 0.02  # of a training from one rung to the next


def drive(space: Path, root: Path, url: str | None, workers: int) -> None:
    """Run the study, or go on with it, with so many workers."""
    definition = load_definition(space)
    folder = study_folder(definition.name, root)
    executor = Inline(train) if workers == 1 else Threads(workers, train)
    with open_store(definition, folder, url, grace_seconds=GRACE_SECONDS) as store, closing(executor):
        Driver(definition, [], folder, store, executor, ()).run()


def train(job: Job, callbacks: Callbacks) -> Evaluation:
    """Sleeps from rung to rung instead of training, and notes each.

    As the proxy does, it keeps in the trial's folder how far it is, and where it has come to its end, that elsewhere.
    """
    rungs, state, cached = job.settings.proxy.rungs, job.folder / "training-0.safetensors", job.folder / "cached"
    reached = next((int(path.read_text()) for path in (cached, state) if path.is_file()), 0)
    until = job.until or rungs[-1]
    if job.number is not None:
        assert job.paused is None or (job.paused.proxy and job.paused.proxy.steps <= reached)
        for rung in (rung for rung in rungs if reached < rung <= until):
            note(job, "trains", rung)
            time.sleep(_SECONDS)
            write_text(cached if rung == rungs[-1] else state, str(rung))
        if until == rungs[-1]:
            state.unlink(missing_ok=True)
    cost, luck = count(job.spec), int(job.spec.id[:6], 16) / 2**24
    seen = {rung: cost.params_m**-0.5 * (1 + 0.2 * luck) + 1 / rung for rung in rungs if rung <= until}
    is_end = until == rungs[-1]
    proxy = proxy_result(seen[until], rungs=seen, steps=until, stopped_at=None if is_end else until)
    status = "complete" if is_end else "stopped"
    return Evaluation(status=status, params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)
