"""Stand-ins for `evaluate` that a worker process can import: each lives, or dies, in one way."""

import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np

from archlab.errors import OutOfMemory
from archlab.evaluation import Evaluation
from archlab.latency.devices.registry import runner
from archlab.latency.lock import THIS_COMPUTER
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job
from tests.made_up_facts import proxy_result


def saying(**facts: Any) -> Evaluation:
    """A complete evaluation that has the facts in its provenance."""
    return Evaluation(status="complete", proxy=proxy_result(1.0, provenance=facts))


def said(evaluation: Evaluation) -> dict[str, Any]:
    """The facts of an evaluation; see `saying`."""
    assert evaluation.proxy is not None
    return evaluation.proxy.provenance


def curious(job: Job, callbacks: Callbacks) -> Evaluation:
    """Goes from rung to rung as long as the judge says, and prints."""
    import torch

    for rung in (10, 20, 30):
        callbacks.progress("train", rung / 30)
        if not callbacks.goes_on(rung, [1 / rung], Evaluation(status="complete", macs_g=2.0)):
            break
    print("something", flush=True)
    facts = {"pid": os.getpid(), "threads": torch.get_num_threads(), "rung": rung, "cwd": str(Path.cwd())}
    return saying(**facts)


def imported(job: Job, callbacks: Callbacks) -> Evaluation:
    """Says whether the modules that train and score were there before it began."""
    return saying(training=all(name in sys.modules for name in ("torch", "archlab.proxy.evaluate", "archlab.scores")))


def mortal(job: Job, callbacks: Callbacks) -> Evaluation:
    """Its process is killed in its first life; in the next it finds what the first left."""
    seen = job.folder / "seen"
    if not seen.exists():
        seen.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return Evaluation(status="complete")


def doomed(job: Job, callbacks: Callbacks) -> Evaluation:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
    raise AssertionError


def interrupted(job: Job, callbacks: Callbacks) -> Evaluation:
    """Is killed in the middle of a message."""
    connection = cast(Any, callbacks.progress).__self__.connection
    os.write(connection.fileno(), struct.pack("!i", 100) + b"the beginning")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def crashing(job: Job, callbacks: Callbacks) -> Evaluation:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def leaving(job: Job, callbacks: Callbacks) -> Evaluation:
    os._exit(3)


def broken(job: Job, callbacks: Callbacks) -> Evaluation:
    raise ValueError("not what was agreed")


def exhausted(job: Job, callbacks: Callbacks) -> Evaluation:
    raise OutOfMemory("no more memory")


def slow(job: Job, callbacks: Callbacks) -> Evaluation:
    """Starts a converter, says who it is, and takes its time."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    (job.folder / "pids").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(60)
    return Evaluation(status="complete")


def slow_or_measuring(job: Job, callbacks: Callbacks) -> Evaluation:
    """As its folder's name says; the one that measures waits until the other is at work."""
    if job.folder.name == "measures":
        while not (job.folder.parent / "trains" / "pids").is_file():
            time.sleep(0.02)
        with callbacks.lock(THIS_COMPUTER):
            return slow(job, callbacks)
    return slow(job, callbacks)


def greedy(job: Job, callbacks: Callbacks) -> Evaluation:
    """Takes 40 MB for every image in memory."""
    images = job.micro_batch or job.settings.proxy.batch_size
    held = np.ones(int(images * 40e6), dtype=np.uint8)
    time.sleep(1.5)
    return saying(images=images, held=len(held))


def measuring(job: Job, callbacks: Callbacks) -> Evaluation:
    """Trains with eyes open, or measures on the study's device, as its folder's name says; notes the time."""
    times = []
    if job.folder.name == "measures":
        (where,) = job.settings.measure
        time.sleep(0.3)
        with callbacks.lock(runner(where.device).resource):
            times.append(time.time())
            time.sleep(1.0)
            times.append(time.time())
    else:
        callbacks.progress("train", 0.0)
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            times.append(time.time())
            time.sleep(0.02)
    return saying(times=times)
