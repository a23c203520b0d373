"""The contract of a store, and its door."""

from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

import optuna
from optuna.trial import FrozenTrial

from archlab.errors import require
from archlab.space import SearchSpace
from archlab.study.folder import StudyFolder
from archlab.study.record import Record

Say = Callable[[str], None]


class Store(Protocol):
    """One driver's view of a study's shared state. Every method may be called from any thread.

    A finished trial is written to its folder first, then published, then told to Optuna: what a killed driver wrote and
    did not tell, the next one finds.

    Attributes:
        optuna: every trial that was asked for.
    """

    optuna: optuna.Study

    def asking(self) -> AbstractContextManager[None]:
        """Hold the right to decide what is asked next; one driver has it at a time."""

    def lease(self, number: int) -> bool:
        """Take the right to work on an asked trial; False: another driver has it, or finished the trial."""

    def release(self, number: int) -> None:
        """Give the right back, after the trial was told."""

    def others(self) -> list[FrozenTrial]:
        """Running trials that may be another driver's; this one's own may be among them."""

    def abandoned(self) -> list[int]:
        """Trials that are running and that nobody has held for some seconds: what killed drivers left behind."""

    def publish(self, record: Record) -> None:
        """Give a record, which is in the study's folder, to the other drivers; the first of a trial stays."""

    def fetch(self, known: Container[int]) -> list[Record]:
        """Records of other drivers that are not among the known trials, by number; they are then in the folder."""

    def close(self) -> None:
        """Give back everything that is held."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_store(space: SearchSpace, folder: StudyFolder, url: str | None = None, say: Say = lambda _: None) -> Store:
    """Claim the study for this driver, and open what it shares: a journal in the folder, or a PostgreSQL database.

    Optuna's trials are brought up to the records: after a change of the space, or where the journal or the database
    was lost, they are made from them. Use it as a context manager.

    Args:
        url: ``postgresql://user@host/database``; None is the journal, which one driver at a time may use.
        say: hears that trials were taken over, that the database is away, and that it is back.

    Raises:
        BadInput: the study is another space's, is in use or shared otherwise, the folder cannot be written, or the
            database cannot be reached.
        MissingExtra: a database, and psycopg is not installed.
    """
    if url is None:
        from archlab.study.store.journal import JournalStore

        return JournalStore(space, folder, say)
    require("psycopg", "a study in a PostgreSQL database", "postgresql")
    from archlab.study.store.postgres import PostgresStore

    return PostgresStore(space, folder, url, say)
