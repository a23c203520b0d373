"""A study whose trials are judged by a formula, so that the engine is tested and not the training."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlab.cost import count
from archlab.evaluation import Evaluation
from archlab.study import Study, run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job
from archlab.study.executors import Evaluate, Inline, Listener
from tests.made_up_facts import proxy_result
from tests.study.spaces import write_space


class Judge:
    """Stands in for `evaluate`: quality falls with params. Remembers trials it was asked; can be interrupted."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.interrupt_at: int | None = None
        self.verdict: Callable[[Job], Evaluation] | None = None

    def __call__(self, job: Job, callbacks: Callbacks) -> Evaluation:
        if job.number is not None:
            if self.interrupt_at == len(self.asked):
                self.interrupt_at = None
                raise KeyboardInterrupt
            self.asked.append(job.spec.id)
        cost = count(job.spec)
        if self.verdict is not None:
            return self.verdict(job)
        qualities = {rung: 1 / cost.params_m + 1 / rung for rung in job.settings.proxy.rungs}
        proxy = proxy_result(1 / cost.params_m, rungs=qualities)
        for rung in job.settings.proxy.rungs[:-1]:
            if rung == job.until or not callbacks.goes_on(rung, [proxy.quality + 1 / rung]):
                seen = {step: quality for step, quality in qualities.items() if step <= rung}
                stopped = replace(proxy, quality=seen[rung], stopped_at=rung, steps=rung, rungs=seen)
                return Evaluation(status="stopped", params_m=cost.params_m, macs_g=cost.macs_g, proxy=stopped)
        return Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)

    def run(self, definition: StudyDefinition, *arguments: str, **named: Any) -> Study:
        """`run_study` with this judge, in this process."""
        return run_study(definition, *arguments, executor=Inline(self), **named)


class Threads:
    """An executor of several slots that is as quick as this process."""

    def __init__(self, slots: int, evaluate: Evaluate) -> None:
        self.slots, self.evaluate = slots, evaluate
        self.pool = ThreadPoolExecutor(slots)

    def submit(self, job: Job, listener: Listener) -> Future[Evaluation]:
        def judge(rung: int, qualities: Sequence[float], known: Evaluation | None = None, /) -> bool:
            return listener.goes_on(job, rung, qualities, known)

        def progress(stage: str, done: float) -> None:
            listener.progress(job, stage, done)

        return self.pool.submit(self.evaluate, job, Callbacks(progress=progress, goes_on=judge))

    def close(self) -> None:
        self.pool.shutdown()


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def definition(tmp_path: Path) -> StudyDefinition:
    return load_definition(write_space(tmp_path))
