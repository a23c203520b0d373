"""PostgreSQL for the tests that share a study through it, and a driver's steps without a driver."""

import os
import sys
from collections.abc import Iterator

import pytest

from archlab.cost import count
from archlab.space import SearchSpace
from archlab.study.folder import StudyFolder
from archlab.study.outcome import outcome
from archlab.study.record import Evaluation, Record
from archlab.study.sampler import as_params, suggest
from archlab.study.store import Store, leases
from tests.study.store.server import Server, find_program


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if not find_program("initdb"):
        is_expected = sys.platform == "linux" and os.environ.get("CI")
        (pytest.fail if is_expected else pytest.skip)("PostgreSQL is not installed: apt install postgresql")
    server = Server()
    yield server
    server.remove()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "GRACE_SECONDS", 0.5)


def work(store: Store, space: SearchSpace, folder: StudyFolder) -> Record:
    """Ask for a trial, judge it by a formula, write, publish and tell, as a driver does."""
    with store.asking():
        trial = store.optuna.ask()
        assert store.lease(trial.number)
        values = suggest(trial, space)
    spec = space.spec(values)
    cost = count(spec)
    record = Record(
        trial=trial.number,
        architecture=spec.id,
        knobs=space.baseline_values | as_params(values),
        evaluation=Evaluation(
            status="complete",
            params_m=cost.params_m,
            macs_g=cost.macs_g,
            proxy={"quality": 1 / cost.params_m, "quality_label": "val_loss"},
        ),
        seconds=0.1,
        finished="2026-01-01T00:00:00+00:00",
    )
    record.save(folder.trial(trial.number) / "evaluation.json")
    store.publish(record)
    told = outcome(record, space.settings.objectives, {})
    store.optuna.tell(trial, told.values, told.state)
    store.release(trial.number)
    return record
