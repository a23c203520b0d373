"""Which store a study has."""

from archlab.errors import require
from archlab.study.definition import StudyDefinition
from archlab.study.folder import StudyFolder
from archlab.study.store.contract import Say, Store
from archlab.study.store.journal import JournalStore


def open_store(
    definition: StudyDefinition, folder: StudyFolder, url: str | None = None, say: Say = lambda _: None
) -> Store:
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
        return JournalStore(definition, folder, say)
    require("psycopg", "a study in a PostgreSQL database", "postgresql")
    from archlab.study.store.postgres import PostgresStore

    return PostgresStore(definition, folder, url, say)
