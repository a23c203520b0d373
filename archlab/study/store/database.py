"""A PostgreSQL server that may go away and come back."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url

from archlab.errors import BadInput, shown, without_passwords
from archlab.study.store.contract import Say
from archlab.surgery.patient_rdb_storage import PatientRDBStorage

Result = TypeVar("Result")

_WAIT_SECONDS = 0.5
_LOST_IN_TRANSACTION = "8s2b"  # among SQLAlchemy's codes of errors
_FIRST_SECONDS = 10.0  # for a server that never answered
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    "application_name": "archlab",
    "keepalives_idle": 5,  # a computer that is gone is noticed within 20 seconds, by either side
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}


class Closed(Exception):
    """The driver has ended while something waited for the database."""


class Database:
    """Where it is, and patience with it: what fails because it is away waits until it is back, and says so once."""

    def __init__(self, url: str, say: Say = lambda _: None) -> None:
        self._url = _parse(url)
        self._say = say
        self._away = False
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @property
    def shown(self) -> str:
        """Its address without user and password."""
        return URL.create(
            "postgresql", host=self._url.host, port=self._url.port, database=self._url.database
        ).render_as_string()

    def reach(self) -> psycopg.Connection[Any]:
        """The first connection.

        Raises:
            BadInput: nobody answers there, or refuses.
        """
        deadline = time.monotonic() + _FIRST_SECONDS
        while True:
            try:
                return self.connect()
            except psycopg.Error as error:
                if time.monotonic() > deadline or not _is_coming_up(error):
                    raise BadInput(f"--storage: {self.shown} cannot be reached: {_reason(error)}") from None
            time.sleep(_WAIT_SECONDS)

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Make what the database forbids while a study is opened an error of the user's.

        Raises:
            BadInput: rights are missing, or its tables are another version's.
        """
        try:
            yield
        except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError, StorageInternalError, RuntimeError) as error:
            raise BadInput(f"--storage: {self.shown}: {_reason(error)}") from None

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection, committed after every statement."""
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(address, autocommit=True, **_CONNECTION)

    def tables(self) -> RDBStorage:
        """Optuna's tables in it, made where they are not there."""
        address = self._url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        engine = {"pool_pre_ping": True, "connect_args": _CONNECTION}
        return self.patiently(lambda: PatientRDBStorage(self.patiently, address, engine))

    def patiently(self, act: Callable[[], Result]) -> Result:
        """The result of ``act``, which is called again as long as the database is away.

        Raises:
            Closed: the database was given up meanwhile.
        """
        while True:
            try:
                result = act()
            except (
                psycopg.OperationalError,
                psycopg.InterfaceError,
                StorageInternalError,
                sqlalchemy.exc.DBAPIError,
            ) as error:
                if not _is_away(error):
                    raise
                if self._closing.is_set():
                    raise Closed from None
                self._tell(away=True, text=f"the database is away ({_reason(error)}); waiting for it")
            else:
                self._tell(away=False, text="the database is back")
                return result
            if self._closing.wait(_WAIT_SECONDS):
                raise Closed

    def close(self) -> None:
        """Nobody waits any longer."""
        self._closing.set()

    def _tell(self, *, away: bool, text: str) -> None:
        with self._lock:
            if self._away == away:
                return
            self._away = away
        self._say(text)


def _parse(url: str) -> URL:
    shape = "give postgresql://user@host/database"
    try:
        parsed = make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise BadInput(f"--storage: not the address of a database; {shape}") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise BadInput(f"--storage: {shown(parsed.get_backend_name())} is not for several drivers; {shape}")
    if url.count("@") > 1:
        raise BadInput(
            "--storage: an address has one @; write that of a password as %40, or better leave the password to "
            "PGPASSWORD or ~/.pgpass"
        )
    if not parsed.database:
        raise BadInput(f"--storage: no database is named; {shape}")
    return parsed


def _is_away(error: BaseException) -> bool:
    """Whether the connection failed, and not what was asked of it."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, sqlalchemy.exc.PendingRollbackError):  # Optuna asks again over a connection that it has lost
        return cause.code == _LOST_IN_TRANSACTION
    if isinstance(cause, sqlalchemy.exc.DBAPIError):
        if cause.connection_invalidated:
            return True
        cause = cause.orig
    return isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError))


def _is_coming_up(error: psycopg.Error) -> bool:
    """Whether trying again may help: no answer, or a server that starts, stops or recovers; not a wrong password."""
    is_refused = "FATAL" in str(error) and "the database system is" not in str(error)
    return isinstance(error, psycopg.OperationalError) and not is_refused


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, psycopg.Error):
        cause = getattr(cause, "orig", None) or cause.__cause__
    lines = str(cause or error).strip().splitlines()
    return without_passwords(lines[0]) if lines else type(error).__name__
