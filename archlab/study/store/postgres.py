"""A study of any number of drivers on any number of computers: a PostgreSQL database.

Beside Optuna's tables it has the studies' settings and the finished records, so that drivers need no common folder.
"""

import json
import time
from collections.abc import Container
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from archlab.architecture import save
from archlab.errors import BadInput
from archlab.evaluation import Record
from archlab.files import writable_folder, write_text
from archlab.json_text import parse_json
from archlab.study.compatibility import fitting_values, is_revised, settings_for, taken_over, write_settings
from archlab.study.definition import StudyDefinition
from archlab.study.folder import StudyFolder
from archlab.study.saved import SavedStudy, read_saved
from archlab.study.store.contract import Say
from archlab.study.store.database import Database
from archlab.study.store.leases import Leases
from archlab.study.store.rebuild import begun, open_optuna, rebuild, reopened
from archlab.study.store.running import RunningTrials

_TABLES = (
    "CREATE TABLE IF NOT EXISTS archlab_studies (name text PRIMARY KEY, settings text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS archlab_records"
    " (study text, number integer, record text NOT NULL, PRIMARY KEY (study, number))",
)
_MAKING_TABLES = 0x6172636C6162  # a lock of all studies


class PostgresStore:
    """See `archlab.study.store.Store`. A trial is a driver's as long as the driver's connection lives."""

    def __init__(
        self, definition: StudyDefinition, folder: StudyFolder, url: str, say: Say, grace_seconds: float
    ) -> None:
        self._definition, self._folder = definition, folder
        self._database = Database(url, say)
        connection = self._database.reach()
        try:
            writable_folder(folder.path)
        except BadInput:
            connection.close()
            raise
        self._leases = Leases(self._database, connection, folder.name, grace_seconds)
        self._unheld_since: dict[int, float] = {}
        self._breaks = 0
        with self._database.opening(), ExitStack() as opened:
            opened.callback(_remove_if_empty, folder.path)
            opened.callback(self._leases.close)
            opened.callback(self._database.close)
            self._storage = self._make_tables()
            opened.callback(self._storage.engine.dispose)
            with self._leases.asking():
                self._settings = self._open_study(say)
                self.optuna = open_optuna(self._storage, self._settings)
                self._running = RunningTrials(self._leases, self._storage, self.optuna.study_name)
                rebuild(self.optuna, definition, folder)
                self._leases.arrive()
            self._opened = opened.pop_all()

    def asking(self) -> AbstractContextManager[None]:
        """See `Store`."""
        return self._leases.asking()

    def lease(self, number: int) -> bool:
        """See `Store`."""
        if not self._leases.take(number):
            return False
        if not self._running.is_running(number):
            self._leases.drop(number)
            return False
        return True

    def release(self, number: int) -> None:
        """See `Store`."""
        self._leases.drop(number)

    def reopen(self, number: int) -> optuna.Trial:
        """See `Store`."""
        return reopened(self.optuna, self._storage, number)

    def begin(self, trial: FrozenTrial) -> optuna.Trial:
        """See `Store`."""
        return begun(self.optuna, self._storage, trial)

    def others(self) -> list[FrozenTrial]:
        """See `Store`; none that this driver holds."""
        return self._running.besides(self._leases.own)

    def unheld(self) -> list[int]:
        """See `Store`."""
        held, running = self._leases.held(), self._running.numbers()  # so ordered: what is told meanwhile runs no more
        return [number for number in running if number not in held]

    def abandoned(self) -> list[int]:
        """See `Store`; after the database was away, live drivers first take again what is theirs.

        What a driver wrote into a common folder and was killed before it published, is published: it is fetched before
        the trial is given out.
        """
        unheld, now = self.unheld(), time.monotonic()
        if self._breaks != self._leases.breaks:
            self._breaks, self._unheld_since = self._leases.breaks, {}
        for record in filter(None, map(self._folder.record, unheld)):
            self.publish(record)
        self._unheld_since = {number: self._unheld_since.get(number, now) for number in unheld}
        if not self._leases.is_settled():
            return []
        return [number for number, since in self._unheld_since.items() if now - since >= self._leases.grace_seconds]

    def publish(self, record: Record) -> None:
        """See `Store`."""
        self._leases.execute(
            "INSERT INTO archlab_records VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (self._settings.uid, record.trial, record.to_json()),
        )

    def fetch(self, known: Container[int]) -> list[Record]:
        """See `Store`."""
        left_out = self._settings.left_out
        return [
            self._download(number) for number in self._published() if number not in known and number not in left_out
        ]

    def close(self) -> None:
        """Every right is given back; what waits for the database, waits no longer."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_tables(self) -> RDBStorage:
        """Every table, made by one driver at a time."""
        self._leases.execute("SELECT pg_advisory_lock(%s)", (_MAKING_TABLES,))
        for statement in _TABLES:
            self._leases.execute(statement)
        tables = self._database.tables()
        self._leases.execute("SELECT pg_advisory_unlock(%s)", (_MAKING_TABLES,))
        return tables

    def _open_study(self, say: Say) -> SavedStudy:
        """The study's settings, which are then in the database and in the folder.

        Raises:
            BadInput: it is another space's, or changes while others work on it.
        """
        folder = self._folder
        rows = self._leases.execute("SELECT settings FROM archlab_studies WHERE name = %s", (folder.name,))
        own = folder.settings() if folder.exists else None
        existing = read_saved(parse_json(rows[0][0]), self._database.shown) if rows else own
        if own and existing and own.uid != existing.uid:
            raise BadInput(
                f"{folder.path} and the database have different studies of that name: take another --name or --studies"
            )
        with folder.locked() if own and own.storage is None else nullcontext():
            if existing:
                self._settings = existing
                self._exchange_records()
            settings = settings_for(existing, self._definition, folder)
            settings = settings.model_copy(update={"storage": self._database.shown})
            has_changed = existing is not None and is_revised(existing, settings)
            if has_changed and not self._leases.is_alone():
                raise BadInput(
                    f"other drivers are at work on {folder.name} with another space: take theirs, or wait for them"
                )
            self._leases.execute(
                "INSERT INTO archlab_studies VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET settings = EXCLUDED.settings",
                (folder.name, json.dumps(settings.to_plain(), ensure_ascii=False)),
            )
            write_settings(folder, self._definition, settings)
        if has_changed:
            say(taken_over(settings, folder))
        return settings

    def _exchange_records(self) -> None:
        """The folder gets what the database has, and the database what the folder has."""
        published = set(self._published())
        for number in published:
            self._download(number)
        for record in self._folder.all_records():
            if record.trial not in published:
                self.publish(record)

    def _published(self) -> list[int]:
        query = "SELECT number FROM archlab_records WHERE study = %s ORDER BY number"
        return [number for (number,) in self._leases.execute(query, (self._settings.uid,))]

    def _download(self, number: int) -> Record:
        """A published record, which is then in the folder, with the architecture if the space has it."""
        folder = self._folder.trial(number)
        if not (folder / "evaluation.json").is_file():
            query = "SELECT record FROM archlab_records WHERE study = %s AND number = %s"
            write_text(
                folder / "evaluation.json", self._leases.execute(query, (self._settings.uid, number))[0][0] + "\n"
            )
        record = Record.load(folder / "evaluation.json")
        values = (
            fitting_values(self._definition.space, record) if not (folder / "architecture.yaml").is_file() else None
        )
        if values is not None:
            save(self._definition.space.spec(values), folder / "architecture.yaml")
        return record


def _remove_if_empty(folder: Path) -> None:
    """What was made for a study that could not be opened."""
    with suppress(OSError):
        folder.rmdir()
