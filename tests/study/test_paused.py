"""Studies that pause trials at rungs and resume them: nothing is trained twice, whatever interrupts them."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from archlab.evaluation import Evaluation
from archlab.study import Watcher, load_study, run_study
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.evaluate import Job
from archlab.study.executors import Inline
from tests.study.conftest import Judge, Threads
from tests.study.read_back import facts
from tests.study.spaces import MINI, write_space

SPACE = MINI.replace("[3]", "[5, 10, 20]").replace("strategy: tpe, trials: 6", "strategy: surrogate, trials: 10")


class Pausing:
    """A judge that notes which training was taken how far, and from where; it can be interrupted after any of them."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.trained: list[tuple[int, int, int | None]] = []
        self.interrupt_after: int | None = None

    def __call__(self, job: Job, callbacks: Callbacks) -> Evaluation:
        evaluation = self.judge(job, callbacks)
        if job.number is None:  # the baseline
            return evaluation
        since = job.paused.proxy.steps if job.paused and job.paused.proxy else 0
        self.trained.append((job.number, since, job.until))
        if self.interrupt_after == len(self.trained):
            raise KeyboardInterrupt
        return evaluation


class Listening(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.paused: list[tuple[int, int]] = []
        self.resumed: list[tuple[int, int]] = []
        self.notices: list[str] = []

    def trial_paused(self, number: int, rung: int, quality: float) -> None:
        self.paused.append((number, rung))

    def trial_resumed(self, number: int, until: int) -> None:
        self.resumed.append((number, until))

    def notice(self, line: str) -> None:
        self.notices.append(line)


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> StudyDefinition:
    return load_definition(write_space(tmp_path_factory.mktemp("space"), SPACE))


@pytest.fixture(scope="module")
def undisturbed(definition: StudyDefinition, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pausing, Path]:
    root, pausing = tmp_path_factory.mktemp("undisturbed"), Pausing()
    run_study(definition, root=root, executor=Inline(pausing))
    return pausing, root


def test_at_every_rung_a_trial_is_paused_and_each_is_trained_once(undisturbed: tuple[Pausing, Path]) -> None:
    pausing, root = undisturbed
    first, *others = pausing.trained
    assert first == (0, 0, 20)
    assert {(since, until) for _, since, until in others} == {(0, 5), (5, 10), (10, 20)}
    assert Counter(pausing.trained).most_common(1)[0][1] == 1
    table = load_study("mini", root).trials.set_index("trial")
    assert len(table) == 11
    for number, row in table.iterrows():
        furthest = max(until or 0 for trained, _, until in pausing.trained if trained == number)
        assert row["status"] == ("complete" if furthest == 20 else "stopped")
        assert row["stopped_at"] == furthest or furthest == 20
    assert table.loc[table["status"] == "stopped", "reason"].str.contains("the search ended").all()


@pytest.mark.parametrize("after", [1, 2, 6, 11])
def test_interrupted_anywhere_it_comes_to_the_same_table_and_asks_for_nothing_else(
    after: int, definition: StudyDefinition, undisturbed: tuple[Pausing, Path], tmp_path: Path
) -> None:
    pausing, disturbed = undisturbed[0], Pausing()
    disturbed.interrupt_after = after
    with pytest.raises(KeyboardInterrupt):
        run_study(definition, root=tmp_path, executor=Inline(disturbed))
    run_study(definition, root=tmp_path, executor=Inline(disturbed))
    assert facts(tmp_path) == facts(undisturbed[1])
    again = disturbed.trained.pop(after)  # what was interrupted before it was told is asked for again
    assert again == disturbed.trained[after - 1]
    assert disturbed.trained == pausing.trained


def test_several_workers_train_nothing_twice_and_hear_of_it(definition: StudyDefinition, tmp_path: Path) -> None:
    pausing, listening = Pausing(), Listening()
    with closing(Threads(3, pausing)) as executor:
        study = run_study(definition, root=tmp_path, executor=executor, watchers=(listening,))
    assert len(study.trials) == 11
    assert set(study.trials["status"]) <= {"complete", "stopped"}
    assert Counter(pausing.trained).most_common(1)[0][1] == 1
    assert set(listening.resumed) == {(number, until) for number, since, until in pausing.trained if since}
    assert set(listening.paused) == {(number, until) for number, _, until in pausing.trained if until != 20}


def test_it_ends_when_too_little_is_expected_and_says_so(tmp_path: Path) -> None:
    text = SPACE.replace("trials: 10", "trials: 40").replace("seed: 3", "seed: 3, stop: {gain: 10%}")
    listening = Listening()
    study = run_study(
        load_definition(write_space(tmp_path, text)), root=tmp_path, executor=Inline(Judge()), watchers=(listening,)
    )
    assert len(study.trials) < 40
    assert listening.notices[-1].startswith("the most promising candidate is expected to add")


@pytest.mark.parametrize(("rungs", "objectives"), [("[20]", "quality, macs_g"), ("[5, 20]", "quality")])
def test_one_rung_or_one_objective_leave_it_something_to_decide(rungs: str, objectives: str, tmp_path: Path) -> None:
    text = SPACE.replace("[5, 10, 20]", rungs).replace("quality, macs_g", objectives).replace("trials: 10", "trials: 6")
    pausing = Pausing()
    study = run_study(load_definition(write_space(tmp_path, text)), root=tmp_path, executor=Inline(pausing))
    assert Counter(pausing.trained).most_common(1)[0][1] == 1
    assert set(study.trials["status"]) == ({"complete"} if rungs == "[20]" else {"complete", "stopped"})
    assert len(study.trials) == 7


def test_it_is_the_default_where_quality_at_rungs_is_traded_for_costs(tmp_path: Path) -> None:
    text = SPACE.replace("strategy: surrogate, ", "")
    for old, new, strategy in (
        ("", "", "surrogate"),
        ("[5, 10, 20]", "[20]", "tpe"),
        ("quality, macs_g", "quality", "tpe"),
        ("quality, macs_g", "quality, val_loss_q1", "tpe"),
        ("seed: 3", "seed: 3, repeats: seed", "tpe"),
        ("seed: 3", "seed: 3, reduction: 4", "tpe"),
        ("seed: 3", "seed: 3, noise: 0.1", "tpe"),
        ("seed: 3", "seed: 3, reduction: 3, repeats: known", "surrogate"),
        ("seed: 3", "seed: 3, strategy: nsga2", "nsga2"),
    ):
        assert load_definition(write_space(tmp_path, text.replace(old, new))).settings.strategy == strategy


def test_what_the_strategy_cannot_do_is_refused(tmp_path: Path) -> None:
    from archlab.errors import BadInput

    for old, new, message in (
        ("quality, macs_g", "quality, val_loss_q1", "search.strategy: surrogate trades quality for what is known"),
        (
            "seed: 3",
            "seed: 3, repeats: seed",
            r"search.repeats: search.strategy surrogate begins every architecture once",
        ),
        ("seed: 3", "seed: 3, reduction: 4", "search.reduction: search.strategy surrogate decides anew at every rung"),
        ("seed: 3", "seed: 3, noise: 0", "search.noise: search.strategy surrogate learns it from the trials"),
        ("seed: 3", "seed: 3, change: {conv: separable}", "search.change: surrogate is a search, and it is of plans"),
        ("surrogate", "random, resolution: 3", "search.resolution: random is a search, and it is of plans: factorial"),
        (
            "seed: 3}",
            "seed: 3}\nladder: [{step: a, values: {conv: separable}}]",
            "ladder: its steps and search.strategy",
        ),
        ("quality, macs_g", "params_m, macs_g", "objectives: quality must be one of them"),
        ("strategy: surrogate", "strategy: tpe, stop: {gain: 1%}", "search.stop.gain: only search.strategy surrogate"),
        ("seed: 3", "seed: 3, stop: {gain: much}", "a gain is a share of the hypervolume like '1%', not 'much'"),
    ):
        with pytest.raises(BadInput, match=message):
            load_definition(write_space(tmp_path, SPACE.replace(old, new)))
