"""Trials on the nodes of a Ray cluster."""

import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, NamedTuple

from archlab.errors import BadInput, require
from archlab.evaluation import Evaluation
from archlab.files import atomic_path, write_text
from archlab.study.evaluate import Job, evaluate, in_one_line
from archlab.study.executors.executor import Evaluate, Listener
from archlab.study.executors.processes import Processes
from archlab.study.executors.worker import RungQuestion, StageReport

_CONNECT_SECONDS = 10.0

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reads these when it is imported
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")  # what it would print into the driver's display


class Ray:
    """An executor that has an executor of processes on every node of a cluster.

    A trial whose node is lost goes to another, and on from its last checkpoint where the nodes share the driver's file
    system. Where they do not, its files come back with its result, and go along with a paused trial. Nodes may join and
    leave.

    Attributes:
        slots: trials at once: one for each GPU of the cluster or, where it has none, for each CPU.
    """

    def __init__(
        self,
        address: str | None = None,
        slots: int | None = None,
        evaluate: Evaluate = evaluate,
        *,
        most_losses: int = 3,
        look_seconds: float = 5.0,
    ) -> None:
        """Connect, and take the nodes' GPUs or CPUs.

        Args:
            address: ``host:port`` or ``auto``; None: ``$RAY_ADDRESS``, the cluster that this computer is a node of, or
                a new one on this computer.
            slots: fewer than all.
            most_losses: how many nodes may be lost with one trial before it fails.
            look_seconds: between looks for nodes that have joined.

        Raises:
            BadInput: there is no cluster at the address.
            MissingExtra: Ray is not installed.
        """
        self._ray: Any = require("ray", "--executor ray", "ray")
        self._is_connection_ours = not self._ray.is_initialized()
        if self._is_connection_ours:
            _connect(self._ray, address)
        self._unit = "GPU" if self._ray.cluster_resources().get("GPU") else "CPU"
        self._most, self._evaluate = slots, evaluate
        self._most_losses, self._look_seconds = most_losses, look_seconds
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._hosts: dict[str, _Host] = {}
        self._unfit: dict[str, str] = {}
        self._closed = Event()
        self._look()
        self._looking = Thread(target=self._keep_looking, daemon=True)
        self._looking.start()

    def submit(self, job: Job, listener: Listener) -> Future[Evaluation]:
        """See `Executor`; whichever node has a free slot takes it."""
        task = _Task(replace(job, folder=job.folder.absolute()), listener)
        self._tasks.put(task)
        return task.future

    def close(self) -> None:
        """See `Executor`; leaves the cluster."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._looking.join()
        for host in self._hosts.values():
            self._ray.kill(host.actor)
            for _ in host.threads:
                self._tasks.put(None)
        for host in self._hosts.values():
            for thread in host.threads:
                thread.join()
        for task in self._waiting():
            task.future.cancel()
        if self._is_connection_ours:
            self._ray.shutdown()

    def _keep_looking(self) -> None:
        while not self._closed.wait(self._look_seconds):
            with suppress(self._ray.exceptions.RayError):  # the head may be away for a while
                self._look()

    def _look(self) -> None:
        """Start work on the nodes that have joined; forget those that are lost."""
        nodes = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        self._unfit |= {name: host.fault for name, host in self._hosts.items() if host.fault}
        self._hosts = {name: host for name, host in self._hosts.items() if host.is_alive}
        for name in nodes.keys() - self._hosts.keys() - self._unfit.keys():
            units = int(nodes[name]["Resources"].get(self._unit, 0))
            slots = min(units, self._most or units)
            if slots:
                self._hosts[name] = self._started(name, slots)
        self.slots = self._most or sum(len(host.threads) for host in self._hosts.values()) or 1
        if self._unfit and not self._hosts:
            fault = f"no node can run archlab: {min(self._unfit.values())}"
            for task in self._waiting():
                task.future.set_result(Evaluation(status="failed", reason=fault))

    def _waiting(self) -> Iterator["_Task"]:
        """Take the trials that wait for a node out of the queue."""
        with suppress(Empty):
            while True:
                if task := self._tasks.get_nowait():
                    yield task

    def _started(self, node: str, slots: int) -> "_Host":
        strategies = self._ray.util.scheduling_strategies
        actor = self._ray.remote(_OnNode).options(
            **{f"num_{self._unit.lower()}s": slots},
            max_concurrency=slots,
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node, soft=False),
        )
        host = _Host(actor.remote(slots, self._evaluate))
        host.threads = [Thread(target=self._work, args=(host,), daemon=True) for _ in range(slots)]
        for thread in host.threads:
            thread.start()
        return host

    def _work(self, host: "_Host") -> None:
        """Take trials for one slot of a node, until it is lost."""
        errors = self._ray.exceptions
        try:
            self._ray.get(host.actor.__ray_ready__.remote())
            while (task := self._tasks.get()) is not None:
                self._do(task, host.actor)
        except errors.RayError as error:
            if isinstance(error, errors.RayTaskError) or getattr(error, "actor_init_failed", False):
                host.fault = _last_line(error)
            host.is_alive = False
            self._ray.kill(host.actor)  # unreachable is not dead

    def _do(self, task: "_Task", actor: Any) -> None:
        """Run one trial on the node until it ends.

        Raises:
            ray.exceptions.RayError: the node is lost; the trial is another's now, or given up.
        """
        key = None
        try:
            key = self._begin(task.job, actor)
            task.future.set_result(self._follow(task, actor, key))
        except self._ray.exceptions.RayTaskError as error:
            task.future.set_result(Evaluation(status="failed", reason=in_one_line(error.cause)))
        except self._ray.exceptions.RayError as error:
            task.losses += key is not None
            self._give_up_or_back(task, error)
            raise
        except Exception as error:  # the listener's
            task.future.set_exception(error)

    def _give_up_or_back(self, task: "_Task", error: Exception) -> None:
        if self._closed.is_set():
            task.future.set_exception(CancelledError())
        elif task.losses == self._most_losses:
            reason = f"its node was lost, {self._most_losses} times; the last: {_last_line(error)}"
            task.future.set_result(Evaluation(status="failed", reason=reason))
        else:
            self._tasks.put(task)

    def _begin(self, job: Job, actor: Any) -> str:
        """The key under which the trial is known on the node."""
        key = secrets.token_hex(8)
        mark = job.folder / f".driver-{key}"
        write_text(mark, "")
        try:
            files = [] if job.paused is None else [self._ray.put(_files(job.folder))]
            self._ray.get(actor.begin.remote(key, job, mark, files))
        finally:
            mark.unlink(missing_ok=True)
        return key

    def _follow(self, task: "_Task", actor: Any, key: str) -> Evaluation:
        """Pass the trial's messages on to its listener and send the answers back, until it is done."""
        job, answer = task.job, None
        while True:
            message, answer = self._ray.get(actor.exchange.remote(key, answer)), None
            match message:
                case StageReport(stage, done):
                    task.listener.progress(job, stage, done)
                case RungQuestion(rung, qualities, known):
                    answer = task.listener.goes_on(job, rung, qualities, known)
                case _Outcome(evaluation, files):
                    for name, content in files.items():
                        with atomic_path(job.folder / name) as temporary:
                            temporary.write_bytes(content)
                    return evaluation


@dataclass(eq=False)
class _Task:
    """A submitted job; ``losses``: how many nodes were lost with it."""

    job: Job
    listener: Listener
    future: Future[Evaluation] = field(default_factory=Future)
    losses: int = 0


@dataclass(eq=False)
class _Host:
    """A node that works: the actor there, and here a thread for each of its slots; ``fault``: why it cannot."""

    actor: Any
    threads: list[Thread] = field(default_factory=list)
    is_alive: bool = True
    fault: str = ""


class _Outcome(NamedTuple):
    """``files``: those that the driver does not find in the trial's folder, by name."""

    evaluation: Evaluation
    files: dict[str, bytes]


class _Trial:
    """A trial on a node: a listener whose messages wait until the driver fetches them."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder  # None: the driver's own
        self.messages: SimpleQueue[StageReport | RungQuestion | Future[Evaluation]] = SimpleQueue()
        self.answers: SimpleQueue[bool] = SimpleQueue()

    def progress(self, job: Job, stage: str, done: float) -> None:
        """See `Listener`."""
        self.messages.put(StageReport(stage, done))

    def goes_on(self, job: Job, rung: int, qualities: Sequence[float], known: Evaluation | None = None) -> bool:
        """See `Listener`."""
        self.messages.put(RungQuestion(rung, tuple(qualities), known))
        return self.answers.get()

    def outcome(self, future: Future[Evaluation]) -> _Outcome:
        """The result, with the files if they are not where the driver sees them."""
        if self.folder is None:
            return _Outcome(future.result(), {})
        files = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        shutil.rmtree(self.folder)
        return _Outcome(future.result(), files)


class _OnNode:
    """The actor on a node: trials in processes of their own, which end with it."""

    def __init__(self, slots: int, evaluate: Evaluate) -> None:
        self._processes = Processes(slots, evaluate)
        self._trials: dict[str, _Trial] = {}

    def begin(self, key: str, job: Job, mark: Path, files: Sequence[Any]) -> None:
        """Start a trial; a node that sees the driver's ``mark`` works in the driver's folder.

        Args:
            files: a reference to those of a paused trial, which is looked up only where they are needed; else none.
        """
        folder = None
        if not mark.exists():
            ray = require("ray", "--executor ray", "ray")
            folder = _folder_with(*(ray.get(reference) for reference in files))
        trial = self._trials[key] = _Trial(folder)
        future = self._processes.submit(replace(job, folder=folder or job.folder), trial)
        future.add_done_callback(trial.messages.put)

    def exchange(self, key: str, answer: bool | None) -> StageReport | RungQuestion | _Outcome:
        """Take the answer to the last question, give the next message."""
        trial = self._trials[key]
        if answer is not None:
            trial.answers.put(answer)
        message = trial.messages.get()
        if isinstance(message, Future):
            return self._trials.pop(key).outcome(message)
        return message


def _files(folder: Path) -> dict[str, bytes]:
    """What is in a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _folder_with(*files: Mapping[str, bytes]) -> Path:
    """A new folder on this computer that has these files."""
    folder = Path(tempfile.mkdtemp(prefix="archlab-"))
    for each in files:
        for name, content in each.items():
            (folder / name).write_bytes(content)
    return folder


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:200]


def _connect(ray: Any, address: str | None) -> None:
    wanted = address or os.environ.get("RAY_ADDRESS")
    try:
        if wanted and ":" in wanted:
            host, port = wanted.removeprefix("ray://").rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, include_dashboard=False)
    except (OSError, RuntimeError, ValueError) as error:
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise BadInput(
            f"--address {wanted or 'auto'}: no Ray cluster ({what}); `ray status` on its head names it"
        ) from None
