"""The Ray executor on a real cluster of two nodes on this computer."""

import importlib.util
import os
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from archlab.errors import BadInput, MissingExtra
from archlab.evaluation import Evaluation
from archlab.study import Watcher, run_study
from archlab.study.definition import load_definition
from archlab.study.evaluate import Job
from archlab.study.executors import Inline
from archlab.study.executors.ray import Ray
from tests.study.executors import made_up, on_nodes
from tests.study.executors.test_processes import Log, all_end, wait_for, wait_until
from tests.study.spaces import MINI, write_space

JobFor = Callable[..., Job]

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="pip install 'archlab[ray]'")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def executor(cluster: Any) -> Iterator[Ray]:
    with closing(Ray(cluster.address, evaluate=on_nodes.by_folder, most_losses=2, look_seconds=0.2)) as executor:
        yield executor


@pytest.fixture
def job(tmp_path: Path) -> JobFor:
    definition = load_definition(write_space(tmp_path))

    def make(folder: str | Path, **trial: float) -> Job:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        limits = definition.settings.trial.model_copy(update=trial)
        settings = definition.settings.model_copy(update={"trial": limits})
        return Job(spec=definition.space.baseline, settings=settings, limits={}, folder=tmp_path / folder, number=7)

    return make


def test_it_is_heard_and_asked(executor: Ray, job: JobFor) -> None:
    log = Log()
    found = executor.submit(job("curious"), log).result(timeout=180)
    assert executor.slots == 2
    assert log.heard == [(7, "train", 1 / 3), (7, 10, 0.1, 2.0), (7, "train", 2 / 3), (7, 20, 0.05, 2.0)]
    assert found.status == "complete"
    facts = made_up.said(found)
    assert facts["rung"] == 20
    assert facts["threads"] == 1


def test_files_come_back_where_a_node_does_not_see_the_drivers_folder(
    executor: Ray, job: JobFor, tmp_path: Path
) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    mine = Path(f"/proc/self/fd/{handle}/steady")  # in another process it is something else, or nothing
    assert executor.submit(job(mine), Log()).result(timeout=180).status == "complete"
    os.close(handle)
    assert [path.name for path in (tmp_path / "steady").iterdir()] == ["curve.csv"]


def test_files_of_a_paused_trial_go_along_where_a_node_does_not_see_the_drivers_folder(
    executor: Ray, job: JobFor, tmp_path: Path
) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    mine = Path(f"/proc/self/fd/{handle}/paused")  # in another process it is something else, or nothing
    paused = replace(job(mine), paused=Evaluation(status="stopped"))
    (tmp_path / "paused" / "curve.csv").write_text("begun\n")
    executor.submit(paused, Log()).result(timeout=180)
    os.close(handle)
    assert (tmp_path / "paused" / "curve.csv").read_text() == "begun\nbegun\n"


@pytest.mark.parametrize(
    ("evaluate", "minutes", "reason"),
    [
        ("slow", 0.05, "over the time limit of 0.05 min"),
        ("crashing", 1.0, "killed by signal 11 (SIGSEGV); see worker.log"),
        ("deadly", 1.0, "its node was lost, 2 times"),
    ],
)
def test_a_trial_that_ends_early_fails_with_its_reason(
    evaluate: str, minutes: float, reason: str, executor: Ray, job: JobFor
) -> None:
    found = executor.submit(job(evaluate, minutes=minutes), Log()).result(timeout=120)
    assert found.status == "failed"
    assert str(found.reason).startswith(reason)


class Saboteur(Watcher):
    """Kills a node in the middle of the second trial that runs on it."""

    def __init__(self, cluster: Any, node: Any) -> None:
        self.cluster, self.node = cluster, node
        self.raylet = node.all_processes["raylet"][0].process.pid
        self.trials = 0

    def progress(self, number: int | None, stage: str, done: float) -> None:
        self.trials += stage == f"train on {self.raylet}"
        if self.trials == 2 and self.node in self.cluster.worker_nodes:
            self.cluster.remove_node(self.node, allow_graceful=False)


def test_a_study_completes_when_a_node_joins_and_is_killed(
    executor: Ray, cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = MINI.replace("strategy: tpe, trials: 6", "strategy: random, trials: 7, noise: 0.01")
    definition = load_definition(write_space(tmp_path, text))
    undisturbed = run_study(definition, root=tmp_path / "undisturbed", executor=Inline(on_nodes.steady))
    node = cluster.add_node(num_cpus=1)
    wait_until(lambda: executor.slots == 3)
    capfd.readouterr()
    saboteur = Saboteur(cluster, node)
    with on_nodes.doomed(saboteur.raylet):
        study = run_study(definition, root=tmp_path / "disturbed", executor=executor, watchers=(saboteur,))
    assert node not in cluster.worker_nodes
    columns = ["trial", "status", "architecture", "macs_g", "quality", "on_front"]
    pd.testing.assert_frame_equal(study.trials[columns], undisturbed.trials[columns])
    beginnings = [len(path.read_text().split()) for path in study.folder.glob("trials/*/curve.csv")]
    assert sorted(beginnings) == [1] * 7 + [2]  # seven and the baseline
    assert capfd.readouterr() == ("", "")


class OneAtATime:
    """A cluster of which one slot is used, whichever is free: what a study comes to follows from nothing else then."""

    slots = 1

    def __init__(self, executor: Ray) -> None:
        self.submit, self.close = executor.submit, executor.close


class SaboteurOfPauses(Watcher):
    """Kills the node that goes on with a paused trial, or begins one while others are paused; not the head."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.pauses, self.kills = cluster, 0, 0

    def trial_paused(self, number: int, rung: int, quality: float) -> None:
        self.pauses += 1

    def progress(self, number: int | None, stage: str, done: float) -> None:
        for node in tuple(self.cluster.worker_nodes):
            is_here = stage == f"train on {node.all_processes['raylet'][0].process.pid}"
            if is_here and self.pauses > 2 and not self.kills:
                self.kills += 1
                self.cluster.remove_node(node, allow_graceful=False)


def test_a_study_with_paused_trials_comes_to_the_same_when_a_node_is_killed(
    executor: Ray, cluster: Any, tmp_path: Path
) -> None:
    text = MINI.replace("[3]", "[5, 10, 20]").replace("strategy: tpe, trials: 6", "strategy: surrogate, trials: 5")
    definition, saboteur = load_definition(write_space(tmp_path, text)), SaboteurOfPauses(cluster)
    undisturbed = run_study(definition, root=tmp_path / "undisturbed", executor=Inline(on_nodes.pausing))
    study = run_study(definition, root=tmp_path / "disturbed", executor=OneAtATime(executor), watchers=(saboteur,))
    assert saboteur.kills == 1
    columns = ["trial", "status", "architecture", "macs_g", "quality", "stopped_at", "on_front"]
    pd.testing.assert_frame_equal(study.trials[columns], undisturbed.trials[columns])
    log, expected = (one.folder.joinpath("log.txt").read_text().splitlines() for one in (study, undisturbed))
    assert list(dict.fromkeys(log)) == expected
    assert len(log) <= len(expected) + 1


def test_closing_ends_what_is_under_way(cluster: Any, executor: Ray, job: JobFor) -> None:
    trial = executor.submit(job("slow"), Log())
    wait_for(job("slow").folder / "pids")
    executor.close()
    with pytest.raises(CancelledError):
        trial.result(timeout=10)
    assert all_end(job("slow").folder / "pids")


def test_where_no_node_can_import_it_a_trial_fails_with_that_reason(
    cluster: Any, job: JobFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("only_here")
    exec("def evaluate(job, callbacks): ...", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    with closing(Ray(cluster.address, evaluate=module.evaluate, look_seconds=0.2)) as executor:
        found = executor.submit(job("trial"), Log()).result(timeout=120)
    assert found.reason == "no node can run archlab: ModuleNotFoundError: No module named 'only_here'"


def test_a_wrong_address_is_one_clear_line() -> None:
    with pytest.raises(BadInput, match=r"^--address 127\.0\.0\.1:9: no Ray cluster .*Connection refused[^\n]*$"):
        Ray("127.0.0.1:9")


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"archlab\[ray\]"):
        Ray()
