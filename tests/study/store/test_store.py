"""What every store promises, and what a database adds."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import optuna
import psycopg
import pytest
from optuna.trial import TrialState

from archlab.errors import BadInput
from archlab.space import SearchSpace, load_space
from archlab.study.folder import StudyFolder
from archlab.study.store import Store, open_store
from tests.study.conftest import Judge
from tests.study.spaces import MINI, write_space
from tests.study.store.conftest import work
from tests.study.store.server import Server

Opener = Callable[..., Store]


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "studies" / "mini")


@pytest.fixture
def open_here(folder: StudyFolder, space: SearchSpace, url: str | None) -> Iterator[Opener]:
    """Opens stores that are closed when the test ends."""
    with ExitStack() as opened:

        def opener(of: SearchSpace = space, place: StudyFolder = folder, said: list[str] | None = None) -> Store:
            return opened.enter_context(open_store(of, place, url, (said if said is not None else []).append))

        yield opener


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


def changed(tmp_path: Path, *replacements: tuple[str, str]) -> SearchSpace:
    text = MINI
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "changed").mkdir(exist_ok=True)
    return load_space(write_space(tmp_path / "changed", text))


def facts(study: optuna.Study) -> list[tuple[object, ...]]:
    return [(t.number, t.state, t.values, t.params, t.constraints) for t in study.get_trials()]


@pytest.mark.usefixtures("short_grace")
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
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder
    ) -> None:
        with open_here() as store:
            for _ in range(3):
                work(store, space, folder)
            before = facts(store.optuna)
            self.forget(store, folder)
        (folder.trial(1) / "evaluation.json").unlink()
        again = open_here()
        self.assert_made_again(facts(again.optuna), before)

    def test_a_changed_space_takes_over_the_trials_that_fit(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder, tmp_path: Path
    ) -> None:
        with open_here() as store:
            records = [work(store, space, folder) for _ in range(8)]
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
        with open_here(space) as store:
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
        space: SearchSpace,
        folder: StudyFolder,
        tmp_path: Path,
    ) -> None:
        with open_here() as store:
            records = [work(store, space, folder) for _ in range(4)]
        if fits is None:
            fits = sum(record.knobs["conv"] == space.baseline_values["conv"] for record in records)
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


class TestJournal(StoreContract):
    @pytest.fixture
    def url(self) -> None:
        return None

    def forget(self, store: Store, folder: StudyFolder) -> None:
        folder.journal.unlink()

    def assert_made_again(self, again: list[tuple[object, ...]], before: list[tuple[object, ...]]) -> None:
        assert (again[0], again[2]) == (before[0], before[2])
        assert again[1] == (1, TrialState.FAIL, None, {}, {})

    def test_a_second_driver_is_refused_and_told_of_the_database(
        self, open_here: Opener, folder: StudyFolder, tmp_path: Path
    ) -> None:
        with holder(tmp_path, folder, None), pytest.raises(BadInput, match=r"in use by another.*--storage postgresql"):
            open_here()
        open_here()


class TestPostgres(StoreContract):
    @pytest.fixture
    def url(self, server: Server) -> str:
        return server.empty_database()

    def forget(self, store: Store, folder: StudyFolder) -> None:
        optuna.delete_study(study_name="mini", storage=store.optuna._storage)

    def assert_made_again(self, again: list[tuple[object, ...]], before: list[tuple[object, ...]]) -> None:
        """A record that the folder has lost is in the database."""
        assert again == before

    def test_a_trial_is_held_by_one_driver(
        self, open_here: Opener, folder: StudyFolder, tmp_path: Path, url: str
    ) -> None:
        with holder(tmp_path, folder, url) as (_, number):
            store = open_here()
            assert not store.lease(number)
            time.sleep(0.8)
            assert store.abandoned() == []

    def test_a_trial_that_another_driver_finished_cannot_be_taken(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder
    ) -> None:
        one, other = open_here(), open_here()
        assert not other.lease(work(one, space, folder).trial)

    def test_one_driver_asks_at_a_time_and_a_killed_one_lets_go(
        self, open_here: Opener, folder: StudyFolder, tmp_path: Path, url: str
    ) -> None:
        store = open_here()
        with holder(tmp_path, folder, url, "asking") as (process, _):
            entered = threading.Event()

            def enter() -> None:
                with store.asking():
                    entered.set()

            waiting = threading.Thread(target=enter)
            waiting.start()
            assert not entered.wait(0.5)
            process.kill()
            waiting.join(10)
            assert entered.is_set()

    def test_drivers_without_a_common_folder_have_the_same_table(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder, tmp_path: Path
    ) -> None:
        elsewhere = StudyFolder(tmp_path / "elsewhere" / "mini")
        here, there = open_here(), open_here(place=elsewhere)
        record = work(here, space, folder)
        assert there.fetch({record.trial}) == []
        assert there.fetch(()) == elsewhere.records() == [record]
        assert here.fetch({record.trial}) == []
        architecture = (elsewhere.trial(record.trial) / "architecture.yaml").read_text()
        assert record.knobs["conv"] in architecture
        assert folder.settings()["uid"] == elsewhere.settings()["uid"]

    def test_a_record_that_was_written_and_not_published_is_found_in_a_common_folder(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder
    ) -> None:
        with open_here() as killed, pytest.MonkeyPatch.context() as patch:
            patch.setattr(killed, "publish", lambda record: 1 / 0)
            survivor = open_here()
            with pytest.raises(ZeroDivisionError):
                work(killed, space, folder)
            assert survivor.fetch(()) == []
        wait_for(survivor.abandoned)
        assert survivor.fetch(()) == folder.records()

    def test_the_first_record_of_a_trial_stays(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder
    ) -> None:
        store = open_here()
        record = work(store, space, folder)
        store.publish(record)
        assert store.fetch(()) == [record]

    def test_a_journal_study_moves_into_a_database(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder
    ) -> None:
        with open_store(space, folder) as journal:
            records = [work(journal, space, folder) for _ in range(2)]
            before = facts(journal.optuna)
        store = open_here()
        assert store.fetch(()) == records
        assert facts(store.optuna) == before
        with pytest.raises(BadInput, match=r"shared through postgresql://127\.0\.0\.1.*--storage"):
            open_store(space, folder)

    def test_the_space_cannot_change_under_other_drivers(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder, tmp_path: Path
    ) -> None:
        other = changed(tmp_path, ("conv: [standard, separable]", "conv: [standard]"))
        with open_here(), pytest.raises(BadInput, match="other drivers are at work on mini with another space"):
            open_here(other)
        open_here(other)

    def test_more_trials_are_counted_from_what_other_machines_have_finished(
        self, judge: Judge, space: SearchSpace, tmp_path: Path, url: str
    ) -> None:
        judge.run(space, root=tmp_path / "here", storage=url)
        study = judge.run(space, root=tmp_path / "there", storage=url, more=2)
        assert len(study.trials) == study.trials_wanted == 8

    def test_a_folder_of_another_study_of_the_name_is_refused(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder, tmp_path: Path
    ) -> None:
        stranger = StudyFolder(tmp_path / "stranger" / "mini")
        open_store(space, stranger).close()
        open_here()
        with pytest.raises(BadInput, match="different studies of that name"):
            open_here(place=stranger)

    def test_a_killed_database_costs_nothing_but_time(
        self, open_here: Opener, space: SearchSpace, folder: StudyFolder, server: Server
    ) -> None:
        said: list[str] = []
        one, other = open_here(said=said), open_here()
        number = one.optuna.ask().number
        assert one.lease(number)
        server.kill()
        record: list[object] = []
        worker = threading.Thread(target=lambda: record.append(work(one, space, folder)))
        worker.start()
        time.sleep(0.3)
        server.start()
        assert other.abandoned() == []
        worker.join(20)
        assert other.fetch(()) == record
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            assert other.abandoned() == []
            time.sleep(0.1)
        assert not other.lease(number)
        assert [line.partition(" (")[0] for line in said] == ["the database is away", "the database is back"]


@pytest.mark.parametrize(
    ("user", "statements", "message"),
    [
        (
            "archlab",
            "CREATE TABLE version_info (version_info_id int, schema_version int, library_version text);"
            "INSERT INTO version_info VALUES (1, 7, '2.0.0')",
            "no longer compatible with the table schema",
        ),
        (
            "guest",
            "CREATE TABLE archlab_studies (name text, settings text);"
            "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN; GRANT ALL ON SCHEMA public TO guest",
            "permission denied for table archlab_studies",
        ),
    ],
    ids=["older tables", "no rights"],
)
def test_what_a_database_forbids_is_one_line(
    user: str, statements: str, message: str, server: Server, space: SearchSpace, tmp_path: Path
) -> None:
    url = server.empty_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements)
    url = url.replace("archlab@", f"{user}@")
    with pytest.raises(BadInput, match=message) as caught:
        open_store(space, StudyFolder(tmp_path / "mini"), url)
    assert str(caught.value).startswith("--storage: postgresql://127.0.0.1")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///x.db", r"sqlite is not for several drivers; give postgresql://user@host/database"),
        ("nonsense", r"not the address of a database"),
        ("postgresql://me:secret@localhost", r"no database is named"),
        (
            "postgresql://me:secret@localhost/db?foo=bar",
            r"postgresql://localhost/db cannot be reached: invalid URI.*foo",
        ),
    ],
)
def test_addresses_that_are_none_are_refused(url: str, message: str, space: SearchSpace, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"--storage: {message}"):
        open_store(space, StudyFolder(tmp_path / "mini"), url)


def test_a_database_that_is_not_there_is_named_without_its_password(
    space: SearchSpace, tmp_path: Path, server: Server
) -> None:
    url = server.url("absent").replace("archlab@", "archlab:secret@")
    with pytest.raises(BadInput, match=r"127\.0\.0\.1.*cannot be reached.*does not exist") as caught:
        open_store(space, StudyFolder(tmp_path / "mini"), url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
