"""A study whose trials are judged by a formula, so that the engine is tested and not the training."""

from collections.abc import Callable
from pathlib import Path

import pytest

from archlab.cost import count
from archlab.space import SearchSpace, load_space
from archlab.study import run
from archlab.study.evaluate import Job, Progress
from archlab.study.record import Evaluation
from tests.study.spaces import write_space


class Judge:
    """Stands in for `evaluate`: quality falls with params. Remembers what it was asked, and can be interrupted."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.interrupt_at: int | None = None
        self.verdict: Callable[[Job], Evaluation] | None = None

    def __call__(self, job: Job, progress: Progress) -> Evaluation:
        if self.interrupt_at == len(self.asked):
            self.interrupt_at = None
            raise KeyboardInterrupt
        self.asked.append(job.spec.id)
        cost = count(job.spec)
        if self.verdict is not None:
            return self.verdict(job)
        proxy = {"quality": 1 / cost.params_m, "quality_label": "val_loss", "val_loss": 1 / cost.params_m}
        return Evaluation(status="complete", params_m=cost.params_m, macs_g=cost.macs_g, proxy=proxy)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    judge = Judge()
    monkeypatch.setattr(run, "evaluate", judge)
    return judge


@pytest.fixture
def space(tmp_path: Path) -> SearchSpace:
    return load_space(write_space(tmp_path))
