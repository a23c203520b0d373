"""The driver with several trials at once: repeats, rungs, gates, a full disk, stop rules; judged by a formula."""

import errno
import itertools
import json
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from archlab.errors import BadInput
from archlab.evaluation import Evaluation, Record, pooled
from archlab.study import run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.disk import Disk
from archlab.study.evaluate import Job, Stages, costed
from archlab.study.executors import Inline
from archlab.study.folder import StudyFolder
from archlab.study.saved import SavedStudy
from archlab.study.watcher import Watcher
from tests.made_up_facts import measured, proxy_result, seed_result
from tests.study.conftest import Judge, Threads
from tests.study.read_back import facts, journal
from tests.study.spaces import MINI, write_space


class Listening(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.finished: list[Record] = []
        self.notices: list[str] = []

    def trial_finished(self, record: Record) -> None:
        self.finished.append(record)

    def notice(self, line: str) -> None:
        self.notices.append(line)


def random_space(folder: Path, trials: int, **replaced: str) -> StudyDefinition:
    text = MINI.replace("strategy: tpe, trials: 6", f"strategy: random, trials: {trials}")
    for old, new in replaced.items():
        text = text.replace({"rungs": "[3]", "search": "seed: 3"}[old], new)
    return load_definition(write_space(folder, text))


def test_several_trials_at_once_ask_for_what_one_at_a_time_would(judge: Judge, tmp_path: Path) -> None:
    definition, three, begun = random_space(tmp_path, 20), threading.Barrier(3), itertools.count()

    def slow(job: Job, callbacks: Callbacks) -> Evaluation:
        if job.number is not None and next(begun) < 3:
            three.wait(timeout=60)  # fails unless three are under way
        return judge(job, callbacks)

    judge.run(definition, root=tmp_path / "one")
    with closing(Threads(3, slow)) as executor:
        run_study(definition, root=tmp_path / "three", executor=executor)
    assert facts(tmp_path / "three") == facts(tmp_path / "one")


def test_a_repeat_of_what_is_under_way_waits_for_its_twin(judge: Judge, tmp_path: Path) -> None:
    """Two trials of one architecture, left behind by a killed run."""
    definition = random_space(tmp_path, 4)
    judge.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        judge.run(definition, root=tmp_path)
    study = journal(tmp_path / "mini")
    (running,) = (trial for trial in study.trials if trial.state == TrialState.RUNNING)
    study.enqueue_trial(running.params)
    study.ask(running.distributions)
    with closing(Threads(2, lambda *arguments: (time.sleep(0.05), judge(*arguments))[1])) as executor:
        done = run_study(definition, root=tmp_path, executor=executor).trials.set_index("trial")
    assert done["repeat_of"][running.number + 1] == running.number
    assert done["quality"][running.number + 1] == done["quality"][running.number]
    assert len(judge.asked) == len(set(judge.asked)) == 4 + 1


RUNGS = {"rungs": "[5, 10, 20]", "search": "seed: 3, noise: 0"}


def test_trials_that_are_not_promoted_are_pruned_with_the_reason(judge: Judge, tmp_path: Path) -> None:
    study = judge.run(random_space(tmp_path, 20, **RUNGS), root=tmp_path)
    stopped = study.trials[study.trials["status"] == "stopped"]
    assert 5 < len(stopped) < 20
    assert stopped["quality"].isna().all()
    assert set(stopped["stopped_at"]) <= {5, 10}
    assert stopped["reason"].str.match(r"stopped at \d+ steps: rank \d+, place").all()
    for trial in journal(study.folder).trials:
        row = study.trials.set_index("trial").loc[trial.number]
        verdicts = {int(name.split(":")[1]): facts["goes_on"] for name, facts in trial.user_attrs.items()}
        if row["status"] == "stopped":
            assert trial.state == TrialState.PRUNED
            assert [steps for steps, goes_on in verdicts.items() if not goes_on] == [row["stopped_at"]]
        elif row["status"] == "complete":
            assert verdicts == {5: True, 10: True}


def test_a_resumed_trial_keeps_the_decisions_of_its_rungs(judge: Judge, tmp_path: Path) -> None:
    definition = random_space(tmp_path, 12, **RUNGS)
    asked: list[tuple[int | None, int]] = []

    def interrupted(job: Job, callbacks: Callbacks) -> Evaluation:
        def listen(rung: int, qualities: Any, known: Evaluation | None = None, /) -> bool:
            goes_on = callbacks.goes_on(rung, qualities if (job.number, rung) not in asked else [1e9])
            asked.append((job.number, rung))
            if len(asked) == 9:
                raise KeyboardInterrupt
            return goes_on

        return judge(job, replace(callbacks, goes_on=listen))

    with pytest.raises(KeyboardInterrupt):
        run_study(definition, root=tmp_path / "disturbed", executor=Inline(interrupted))
    run_study(definition, root=tmp_path / "disturbed", executor=Inline(interrupted))
    judge.run(definition, root=tmp_path / "undisturbed")
    assert facts(tmp_path / "disturbed") == facts(tmp_path / "undisturbed")


def test_a_plan_is_trained_to_the_last_rung(judge: Judge, tmp_path: Path) -> None:
    text = MINI.replace("strategy: tpe, trials: 6", "strategy: grid").replace("[3]", "[5, 10]")
    definition = load_definition(write_space(tmp_path, text))
    study = judge.run(definition, root=tmp_path)
    assert study.trials["status"].eq("complete").all()
    assert set(study.trials["architecture"]) == {
        definition.space.spec(values).id for values in definition.space.all_values()
    }
    assert study.trials_wanted >= len(study.trials)


def test_noise_between_seeds_is_measured_once_on_the_baseline(tmp_path: Path) -> None:
    trained: list[int] = []

    def noisy(job: Job, callbacks: Callbacks) -> Evaluation:
        trained.append(job.settings.proxy.seeds)
        seeds = [
            seed_result(seed, {5: 0.5 + 0.02 * seed, 10: 0.4 + 0.01 * seed}) for seed in range(job.settings.proxy.seeds)
        ]
        return replace(costed(job.spec, {}), proxy=proxy_result(0.4, by_seed=tuple(seeds)))

    definition = random_space(tmp_path, 3, rungs="[5, 10]")
    for _ in range(2):
        run_study(definition, root=tmp_path, executor=Inline(noisy))
    assert trained == [2, 1, 1, 1, 1]
    noise = json.loads((tmp_path / "mini" / "baseline.json").read_text())["noise"]
    assert noise == {"5": pytest.approx(0.02 / 2**0.5), "10": pytest.approx(0.01 / 2**0.5)}


@pytest.mark.parametrize("slots", [1, 3])
def test_a_repeat_becomes_another_seed_where_seeds_are_wanted(slots: int, tmp_path: Path) -> None:
    """A space of two architectures: the rest of what is asked repeats them."""
    trained: list[tuple[str, int]] = []

    def seeded(job: Job, callbacks: Callbacks) -> Evaluation:
        if job.number is not None:
            trained.append((job.spec.id, job.settings.proxy.seeds))
        time.sleep(0.01)
        seeds = tuple(seed_result(seed) for seed in range(job.settings.proxy.seeds))
        return replace(costed(job.spec, {}), proxy=proxy_result(1.0 / len(seeds), by_seed=seeds))

    text = MINI.replace("  transformers: [sd, no_stage0, middle, none]\n", "").replace("  res_blocks: [1/2, 1/1]\n", "")
    text = text.replace("  ff_ratio: {low: 4, high: 8, step: 2}\n", "").replace("seed: 3", "seed: 3, repeats: seed")
    with closing(Threads(slots, seeded)) as executor:
        study = run_study(load_definition(write_space(tmp_path, text)), root=tmp_path, executor=executor)
    repeats = [record for record in study.records if record.repeat_of is not None]
    assert repeats
    assert len(set(trained)) == len(trained) == len(study.records)
    assert [record.evaluation.status for record in repeats] == ["repeat"] * len(repeats)
    for record in repeats:
        assert record.evaluation.reason == f"same architecture as trial {record.repeat_of}, trained with one more seed"
        most = max(seeds for architecture, seeds in trained if architecture == record.architecture)
        (first,) = (one for one in pooled(study.records) if one.trial == record.repeat_of)
        assert first.evaluation.cells()["quality"] == 1.0 / most


def test_a_study_that_gates_nearly_everything_names_the_limit(tmp_path: Path) -> None:
    text = MINI.replace("strategy: tpe, trials: 6", "strategy: random, trials: 40")
    text = text.replace("measure: []", "measure: [{device: torch, name: here}]\nconstraints: {latency_ms: {max: 4}}")
    listening = Listening()
    stages = Stages(measure=lambda *_: measured(9.0))
    run_study(load_definition(write_space(tmp_path, text)), root=tmp_path, watchers=(listening,), stages=stages)
    assert listening.notices == [
        "of the first 30 trials, 30 were over the limit on latency_ms: half of them 9 or more where 4 is allowed; "
        "raise constraints.latency_ms, or give the knobs cheaper values"
    ]


def test_a_full_disk_is_waited_for(judge: Judge, definition: StudyDefinition, tmp_path: Path) -> None:
    megabytes = iter([65.0] * 7 + [63.0] * 3)
    disk = Disk(free_mb=lambda folder: next(megabytes, 65.0), poll_seconds=0.01)
    listening = Listening()
    judge.run(definition, root=tmp_path / "full", watchers=(listening,), disk=disk)
    full = "63 MB are free and 64 MB are needed"
    assert listening.notices == [f"no room for {tmp_path / 'full' / 'mini'}: {full}: {WAITS}"]
    judge.run(definition, root=tmp_path / "undisturbed")
    assert facts(tmp_path / "full") == facts(tmp_path / "undisturbed")


def test_a_study_that_starts_on_a_full_disk_waits_and_says_for_which_place_and_how_much(
    judge: Judge, definition: StudyDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache's disk, then the study's, then a quota that no disk tells of."""
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "elsewhere" / "cache"))
    (tmp_path / "elsewhere").mkdir()
    megabytes = iter([1.0, 1.0, 1.0, 65.0, 2.0, 2.0, 65.0])
    disk = Disk(free_mb=lambda folder: next(megabytes, 65.0), poll_seconds=0.01)
    write, refusals = StudyFolder.write_settings, iter([OSError(errno.EDQUOT, "Disk quota exceeded")])

    def refused_once(self: StudyFolder, settings: SavedStudy) -> None:
        for error in refusals:
            raise error
        write(self, settings)

    monkeypatch.setattr(StudyFolder, "write_settings", refused_once)
    listening = Listening()
    study = judge.run(definition, root=tmp_path, watchers=(listening,), disk=disk)
    assert listening.notices == [
        f"no room for {tmp_path / 'elsewhere'}: 1 MB are free and 64 MB are needed: {WAITS}",
        f"no room for {tmp_path}: 2 MB are free and 64 MB are needed: {WAITS}",
        f"no room for {tmp_path / 'mini'}: a quota or the disk refuses more and 64 MB are needed: {WAITS}",
    ]
    assert len(study.trials) == 6 + 1


def test_a_line_of_the_journal_that_found_no_room_is_written_whole_later(
    judge: Judge, definition: StudyDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, lines = Path.open, itertools.count()

    def refused_once(self: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        file = opened(self, mode, *arguments, **named)
        if self.name == "journal.log" and mode == "ab" and next(lines) == 9:
            file.write(b'{"op_co')
            file.close()
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        return file

    monkeypatch.setattr(Path, "open", refused_once)
    listening = Listening()
    judge.run(definition, root=tmp_path / "full", watchers=(listening,), disk=Disk(poll_seconds=0.01))
    full = "a quota or the disk refuses more and 64 MB are needed"
    assert listening.notices == [f"no room for {tmp_path / 'full' / 'mini'}: {full}: {WAITS}"]
    judge.run(definition, root=tmp_path / "undisturbed")
    assert facts(tmp_path / "full") == facts(tmp_path / "undisturbed")


WAITS = "free some of the disk; the study waits and then goes on"


def test_a_stop_rule_ends_the_study_and_says_so(judge: Judge, tmp_path: Path) -> None:
    judge.verdict = lambda job: replace(costed(job.spec, {}), proxy=proxy_result(1.0))
    listening = Listening()
    definition = random_space(tmp_path, 40, search="seed: 3, stop: {no_gain: 8}")
    study = judge.run(definition, root=tmp_path, watchers=(listening,))
    assert len(study.trials) < 40
    (notice,) = listening.notices
    assert notice.startswith("search.stop.no_gain: the last 8 trials added")


def test_more_trials_are_counted_from_those_that_are_known(
    judge: Judge, definition: StudyDefinition, tmp_path: Path
) -> None:
    judge.run(definition, root=tmp_path)
    study = judge.run(definition, root=tmp_path, more=4)
    assert (study.trials["status"] == "complete").sum() == study.trials_wanted + 1 == 11
    ladder = MINI.replace("strategy: tpe, trials: 6", "strategy: ablate")
    with pytest.raises(BadInput, match="--more: the study has a plan"):
        judge.run(load_definition(write_space(tmp_path, ladder, "plan")), root=tmp_path, more=4)
