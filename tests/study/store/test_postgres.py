"""What a database adds to the promises of every store, and what it forbids."""

import re
import threading
import time
from pathlib import Path
from typing import Any

import optuna
import psycopg
import pytest
import sqlalchemy
from optuna.distributions import CategoricalDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from archlab.errors import BadInput
from archlab.study.definition import StudyDefinition
from archlab.study.folder import StudyFolder
from archlab.study.store import Store, open_store
from tests.study.conftest import Judge
from tests.study.store.contract import Opener, StoreContract, changed, facts, holder, wait_for, work
from tests.study.store.server import Server


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:sec@ret@127.0.0.1:1/db",
        "postgresql://me:sec/r@et@127.0.0.1:1/db",
        "postgresql://me:secret@127.0.0.1:1/db?foo=bar",
        "postgresql://127.0.0.1:1/db?user=me&password=secret&foo=bar",
        "postgresql:me:secret@127.0.0.1/db",
        "postgres//me:secret@127.0.0.1/db",
        "postgresql://me@127.0.0.1:secret/db",
        "mysql://me:secret@127.0.0.1/db",
    ],
)
def test_no_password_is_shown_and_no_folder_left(url: str, definition: StudyDefinition, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^--storage: ") as refused:
        open_store(definition, StudyFolder(tmp_path / "studies" / "mini"), url)
    assert not re.search("sec|ret|r@et", str(refused.value))
    assert not (tmp_path / "studies").exists()


class TestPostgres(StoreContract):
    @pytest.fixture
    def url(self, server: Server) -> str:
        self.address = server.empty_database()
        return self.address

    def forget(self, store: Store, folder: StudyFolder) -> None:
        storage = RDBStorage(self.address.replace("postgresql:", "postgresql+psycopg:"))
        optuna.delete_study(study_name="mini", storage=storage)

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
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder
    ) -> None:
        one, other = open_here(), open_here()
        assert not other.lease(work(one, definition, folder).trial)

    def test_others_trials_are_seen_as_they_are_now_and_read_again_only_if_changed(self, open_here: Opener) -> None:
        one, other = open_here(), open_here()
        conv = {"conv": CategoricalDistribution(["standard", "separable"])}
        begun = one.begin(create_trial(state=TrialState.RUNNING, params={"conv": "separable"}, distributions=conv))
        asked = one.optuna.ask()
        for trial in (begun, asked):
            assert one.lease(trial.number)
        assert one.others() == []
        first, half = other.others()
        assert (first.number, first.params, half.number, half.params) == (0, begun.params, 1, {})
        asked.suggest_categorical("conv", ["standard", "separable"])
        begun.set_user_attr("until", 5)
        assert [(t.params, t.user_attrs) for t in other.others()] == [
            (begun.params, {"until": 5}),
            (asked.params, {}),
        ]
        begun.set_user_attr("until", 10)
        first, second = other.others()
        assert first.user_attrs == {"until": 10}
        assert other.others()[1] is second
        one.optuna.tell(begun, state=TrialState.FAIL)
        assert [trial.number for trial in other.others()] == [1]
        assert other.unheld() == []

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
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder, tmp_path: Path
    ) -> None:
        elsewhere = StudyFolder(tmp_path / "elsewhere" / "mini")
        here, there = open_here(), open_here(place=elsewhere)
        record = work(here, definition, folder)
        assert there.fetch({record.trial}) == []
        assert there.fetch(()) == elsewhere.records() == [record]
        assert here.fetch({record.trial}) == []
        architecture = (elsewhere.trial(record.trial) / "architecture.yaml").read_text()
        assert record.knobs["conv"] in architecture
        assert folder.settings().uid == elsewhere.settings().uid

    def test_a_record_that_was_written_and_not_published_is_found_in_a_common_folder(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder
    ) -> None:
        with open_here() as killed, pytest.MonkeyPatch.context() as patch:
            patch.setattr(killed, "publish", lambda record: 1 / 0)
            survivor = open_here()
            with pytest.raises(ZeroDivisionError):
                work(killed, definition, folder)
            assert survivor.fetch(()) == []
        wait_for(survivor.abandoned)
        assert survivor.fetch(()) == folder.records()

    def test_the_first_record_of_a_trial_stays(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder
    ) -> None:
        store = open_here()
        record = work(store, definition, folder)
        store.publish(record)
        assert store.fetch(()) == [record]

    def test_a_journal_study_moves_into_a_database(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder
    ) -> None:
        with open_store(definition, folder) as journal:
            records = [work(journal, definition, folder) for _ in range(2)]
            before = facts(journal.optuna)
        store = open_here()
        assert store.fetch(()) == records
        assert facts(store.optuna) == before
        with pytest.raises(BadInput, match=r"shared through postgresql://127\.0\.0\.1.*--storage"):
            open_store(definition, folder)

    def test_the_space_cannot_change_under_other_drivers(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder, tmp_path: Path
    ) -> None:
        other = changed(tmp_path, ("conv: [standard, separable]", "conv: [standard]"))
        with open_here(), pytest.raises(BadInput, match="other drivers are at work on mini with another space"):
            open_here(other)
        open_here(other)

    def test_more_trials_are_counted_from_what_other_machines_have_finished(
        self, judge: Judge, definition: StudyDefinition, tmp_path: Path, url: str
    ) -> None:
        judge.run(definition, root=tmp_path / "here", storage=url)
        study = judge.run(definition, root=tmp_path / "there", storage=url, more=2)
        assert len(study.trials) - 1 == study.trials_wanted == 8

    def test_a_folder_of_another_study_of_the_name_is_refused(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder, tmp_path: Path
    ) -> None:
        stranger = StudyFolder(tmp_path / "stranger" / "mini")
        open_store(definition, stranger).close()
        open_here()
        with pytest.raises(BadInput, match="different studies of that name"):
            open_here(place=stranger)

    def test_a_killed_database_costs_nothing_but_time(
        self, open_here: Opener, definition: StudyDefinition, folder: StudyFolder, server: Server
    ) -> None:
        said: list[str] = []
        one, other = open_here(said=said), open_here()
        number = one.optuna.ask().number
        assert one.lease(number)
        server.kill()
        record: list[object] = []
        worker = threading.Thread(target=lambda: record.append(work(one, definition, folder)))
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

    def test_a_connection_that_is_lost_amid_a_reading_costs_nothing(self, open_here: Opener, url: str) -> None:
        said: list[str] = []
        store, cut = open_here(said=said), []
        store.optuna.ask()

        def cut_once(_connection: object, cursor: Any, statement: str, *_: object) -> None:
            if "FROM trial_params" in statement and not cut:
                cut.append(statement)
                with psycopg.connect(url, autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", (cursor.connection.info.backend_pid,))

        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", cut_once)
        try:
            assert len(store.optuna.get_trials()) == 1
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", cut_once)
        assert cut
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
    user: str, statements: str, message: str, server: Server, definition: StudyDefinition, tmp_path: Path
) -> None:
    url = server.empty_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements)
    url = url.replace("archlab@", f"{user}@")
    with pytest.raises(BadInput, match=message) as caught:
        open_store(definition, StudyFolder(tmp_path / "mini"), url)
    assert str(caught.value).startswith("--storage: postgresql://127.0.0.1")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///x.db", r"'sqlite' is not for several drivers; give postgresql://user@host/database"),
        ("nonsense", r"not the address of a database"),
        ("postgresql://me:secret@localhost", r"no database is named"),
        (
            "postgresql://me:secret@localhost/db?foo=bar",
            r"postgresql://localhost/db cannot be reached: invalid URI.*foo",
        ),
    ],
)
def test_addresses_that_are_none_are_refused(
    url: str, message: str, definition: StudyDefinition, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=rf"--storage: {message}"):
        open_store(definition, StudyFolder(tmp_path / "mini"), url)


def test_a_database_that_is_not_there_is_named_without_its_password(
    definition: StudyDefinition, tmp_path: Path, server: Server
) -> None:
    url = server.url("absent").replace("archlab@", "archlab:secret@")
    with pytest.raises(BadInput, match=r"127\.0\.0\.1.*cannot be reached.*does not exist") as caught:
        open_store(definition, StudyFolder(tmp_path / "mini"), url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
