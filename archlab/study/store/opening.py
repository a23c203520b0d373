"""Which store a study has."""

from archlab.errors import require
from archlab.study.definition import StudyDefinition
from archlab.study.disk import DISK, Disk
from archlab.study.folder import StudyFolder
from archlab.study.store.contract import GRACE_SECONDS, Say, Store


def check_storage(url: str) -> None:
    """Refuse a database that cannot be reached, before anything is done for the study that it should hold.

    Raises:
        BadInput, MissingExtra: see `open_store`.
    """
    require("psycopg", "a study in a PostgreSQL database", "postgresql")
    from archlab.study.store.database import Database

    Database(url).reach().close()


def open_store(
    definition: StudyDefinition,
    folder: StudyFolder,
    url: str | None = None,
    say: Say = lambda _: None,
    *,
    disk: Disk = DISK,
    grace_seconds: float = GRACE_SECONDS,
) -> Store:
    """Open the study for this driver, and open what it shares: a journal in the folder, or a PostgreSQL database.

    Optuna's trials are brought up to the records: after a change of the space, or where the journal or the database
    was lost, they are made from them. Use it as a context manager.

    Args:
        url: ``postgresql://user@host/database``; None is the journal, which one driver at a time may use.
        disk: how a journal waits for a full disk.
        grace_seconds: how long a trial that no driver holds is left alone, see `Leases`.
        say: hears that trials were taken over, that the database is away, and that it is back.

    Raises:
        BadInput: the study is another space's, is in use or shared otherwise, the folder cannot be written, or the
            database cannot be reached.
        MissingExtra: a database, and psycopg is not installed.
    """
    if url is None:
        from archlab.study.store.journal import JournalStore

        return JournalStore(definition, folder, say, disk)
    require("psycopg", "a study in a PostgreSQL database", "postgresql")
    from archlab.study.store.postgres import PostgresStore

    return PostgresStore(definition, folder, url, say, grace_seconds)
