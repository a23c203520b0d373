"""What every store promises, written once, and a driver's steps without a driver."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from archlab.cost import count
from archlab.errors import BadInput
from archlab.evaluation import Evaluation, Record
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.folder import StudyFolder
from archlab.study.optuna_result import optuna_result
from archlab.study.sampler import as_params, suggest
from archlab.study.store import Store
from tests.made_up_facts import proxy_result
from tests.study.spaces import MINI, write_space

Opener = Callable[..., Store]


def work(store: Store, definition: StudyDefinition, folder: StudyFolder) -> Record:
    """Ask for a trial, drawn by its number, judge it by a formula, write, publish and tell, as a driver does."""
    with store.asking():
        store.optuna.sampler = RandomSampler(seed=len(store.optuna.get_trials(deepcopy=False)))
        trial = store.optuna.ask()
        assert store.lease(trial.number)
        values = suggest(trial, definition.space)
    spec = definition.space.spec(values)
    cost = count(spec)
    record = Record(
        trial=trial.number,
        architecture=spec.id,
        knobs=definition.space.baseline_values | as_params(values),
        evaluation=Evaluation(
            status="complete",
            params_m=cost.params_m,
            macs_g=cost.macs_g,
            proxy=proxy_result(1 / cost.params_m),
        ),
        seconds=0.1,
        finished="2026-01-01T00:00:00+00:00",
    )
    record.save(folder.trial(trial.number) / "evaluation.json")
    store.publish(record)
    told = optuna_result(record, definition.settings, {})
    store.optuna.tell(trial, told.values, told.state)
    store.release(trial.number)
    return record


@contextmanager
def holder(
    tmp_path: Path, folder: StudyFolder, url: str | None, *extra: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds the trial that it has asked for; it is killed at the end."""
    command = [
        sys.executable,
        "-m",
        "tests.study.store.holder",
        str(tmp_path / "mini.yaml"),
        str(folder.path),
        url or "",
    ]
    with subprocess.Popen([*command, *extra], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            word, number = process.stdout.readline().split()
            assert word == "holds"
            yield process, int(number)
        finally:
            process.kill()


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def changed(tmp_path: Path, *replacements: tuple[str, str]) -> StudyDefinition:
    text = MINI
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "changed").mkdir(exist_ok=True)
    return load_definition(write_space(tmp_path / "changed", text))


def facts(study: optuna.Study) -> list[tuple[object, ...]]:
    return [(t.number, t.state, t.values, t.params, t.constraints) for t in study.get_trials()]


class StoreContract:
    def test_a_trial_that_is_held_is_not_abandoned(self, open_here: Opener) -> None:
        store = open_here()
        number = store.optuna.ask().number
        assert store.lease(number)
        assert store.lease(number)
        time.sleep(0.8)
        assert store.abandoned() == []
        store.optuna.tell(number, state=TrialState.FAIL)
        store.release(number)
        time.sleep(0.8)
        assert store.abandoned() == []

    def test_what_a_killed_driver_held_is_abandoned_and_taken_up(
        self, open_here: Opener, folder: StudyFolder, tmp_path: Path, url: str | None
    ) -> None:
        with holder(tmp_path, folder, url) as (process, number):
            process.kill()
            process.wait()
            store = open_here()
            wait_for(lambda: store.abandoned() == [number])
            assert store.lease(number)
            assert store.abandoned() == []

    def test_lost_trials_are_made_again_from_the_records(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder
    ) -> None:
        with open_here() as store:
            for _ in range(3):
                work(store, definition, folder)
            before = facts(store.optuna)
            self.forget(store, folder)
        (folder.trial(1) / "evaluation.json").unlink()
        again = open_here()
        self.assert_made_again(facts(again.optuna), before)

    def test_a_changed_space_takes_over_the_trials_that_fit(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder, tmp_path: Path
    ) -> None:
        with open_here() as store:
            records = [work(store, definition, folder) for _ in range(8)]
        narrow = changed(
            tmp_path,
            ("conv: [standard, separable]", "conv: [separable, standard]"),
            ("[sd, no_stage0, middle, none]", "[sd, no_stage0, low_res, middle]"),
            ("measure: []", "measure: []\nrequire: [\"not (conv == 'standard' and ff_ratio == 8)\"]"),
        )
        fit = [
            record.trial
            for record in records
            if record.knobs["transformers"] != "none"
            and not (record.knobs["conv"] == "standard" and record.knobs["ff_ratio"] == 8)
        ]
        assert 0 < len(fit) < 8
        said: list[str] = []
        with open_here(narrow, said=said) as store:
            trials = store.optuna.get_trials()
            assert [trial.number for trial in trials] == list(range(8))
            assert [trial.number for trial in trials if trial.state == TrialState.COMPLETE] == fit
            assert all(trial.state == TrialState.FAIL for trial in trials if trial.number not in fit)
            assert trials[fit[0]].params["transformers"] == records[fit[0]].knobs["transformers"]
            assert said == [f"the space has changed: {len(fit)} of 8 trials fit and were taken over"]
            assert [record.trial for record in folder.records()] == fit
            assert work(store, narrow, folder).trial == 8
        with open_here(definition) as store:
            assert [record.trial for record in folder.records()][:8] == list(range(8))

    @pytest.mark.parametrize(
        ("old", "new", "fits"),
        [
            ("trials: 6", "trials: 60", 4),
            ("[quality, macs_g]", "[quality, params_m, macs_g]", 4),
            ("measure: []", "measure: []\nconstraints: {params_m: {max: 100}}", 4),
            ("measure: []", "measure: []\nconstraints: {params_m: {max: 0.01}}", 0),
            ("  conv: [standard, separable]\n", "", None),
            ("search:", "trial: {minutes: 3}\nsearch:", 4),
        ],
    )
    def test_changes_that_keep_what_was_measured(
        self,
        old: str,
        new: str,
        fits: int | None,
        open_here: Opener,
        definition: StudyDefinition,
        folder: StudyFolder,
        tmp_path: Path,
    ) -> None:
        with open_here() as store:
            records = [work(store, definition, folder) for _ in range(4)]
        if fits is None:
            fits = sum(record.knobs["conv"] == definition.space.baseline_values["conv"] for record in records)
        with open_here(changed(tmp_path, (old, new))) as store:
            assert sum(t.state == TrialState.COMPLETE for t in store.optuna.get_trials()) == fits

    @pytest.mark.parametrize(
        ("old", "new", "what"),
        [
            ("rungs: [3]", "rungs: [7]", r"proxy\.rungs was \[3\] and is \[7\]"),
            ("baseline: tiny", "baseline: sd15", "baseline was tiny and is sd15"),
            ("measure: []", "measure: [{device: tflite}]", "measure was"),
        ],
    )
    def test_changes_of_what_is_measured_are_refused(
        self, old: str, new: str, what: str, open_here: Opener, folder: StudyFolder, tmp_path: Path
    ) -> None:
        open_here().close()
        before = (folder.path / "study.yaml").read_text()
        with pytest.raises(BadInput, match=rf"{what}.*--name mini2"):
            open_here(changed(tmp_path, (old, new)))
        assert (folder.path / "study.yaml").read_text() == before
        open_here().close()
