"""Rights that one process holds in a database, gone the moment it dies: advisory locks of one connection."""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from archlab.study.store.contract import GRACE_SECONDS
from archlab.study.store.database import Closed, Database

_BEAT_SECONDS = 1.0
_POLL_SECONDS = 0.02
_ASKING, _PRESENT = -1, -2  # trials are 0 and more


class Leases:
    """One connection and what is held on it.

    A thread looks after the connection: after the database was away, everything is taken again before others may have
    it. A pooler that shares connections between transactions (PgBouncer's ``transaction`` mode) cannot be between.

    Attributes:
        breaks: how often the connection broke.
        grace_seconds: for live drivers to take their rights again after their connections broke.
    """

    def __init__(
        self, database: Database, connection: psycopg.Connection[Any], study: str, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self.breaks, self.grace_seconds = 0, grace_seconds
        self._database, self._connection = database, connection
        self._study = int.from_bytes(hashlib.blake2b(study.encode(), digest_size=4).digest()) >> 1
        self._held: set[int] = set()
        self._lost: set[int] = set()  # to be held, and not yet taken again
        self._is_present = False
        self._mended: float | None = None
        self._is_settled = False
        self._lock, self._asking = threading.RLock(), threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._keep, name="leases", daemon=True).start()

    def execute(self, query: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement that may run twice: the database may go away between its work and its answer."""
        with self._lock:
            return self._database.patiently(lambda: self._execute(query, arguments))

    def take(self, number: int) -> bool:
        """Hold a trial; False if another process holds it."""
        with self._lock:
            if number not in self._held and self._database.patiently(lambda: self._try(number)):
                self._held.add(number)
                self._lost.discard(number)
            return number in self._held

    def drop(self, number: int) -> None:
        """Hold a trial no longer."""
        with self._lock:
            self._lost.discard(number)
            if number in self._held:
                self._held.remove(number)
                self.execute("SELECT pg_advisory_unlock(%s, %s)", (self._study, number))

    @property
    def own(self) -> set[int]:
        """Trials that this process holds, or held before the database was away."""
        with self._lock:
            return self._held | self._lost

    def held(self) -> set[int]:
        """Trials that any process holds."""
        rows = self.execute(
            "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND classid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            (self._study,),
        )
        return {number for (number,) in rows}

    def is_settled(self) -> bool:
        """Whether every live driver holds again what it held before the database was away."""
        with self._lock:
            if not self._is_settled:
                query = "SELECT now() - pg_postmaster_start_time() > make_interval(secs => %s)"
                is_old = bool(self.execute(query, (self.grace_seconds,))[0][0])
                is_mended = self._mended is None or time.monotonic() - self._mended > self.grace_seconds
                self._is_settled = is_old and is_mended
            return self._is_settled

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Be the only process, and its only thread, in this block."""
        with self._asking:
            while not (self.is_settled() and self.take(_ASKING)):
                self._ended.wait(_POLL_SECONDS)
            try:
                yield
            finally:
                self.drop(_ASKING)

    def arrive(self) -> None:
        """Be one of the study's drivers from now on."""
        with self._lock:
            self._is_present = True
            self._database.patiently(self._show)

    def is_alone(self) -> bool:
        """Whether the study has no driver; to be asked while asking, before arriving, so that none can arrive."""
        is_alone = self.take(_PRESENT)
        self.drop(_PRESENT)
        return is_alone

    def close(self) -> None:
        """Give everything back."""
        self._ended.set()
        self._connection.close()

    def _keep(self) -> None:
        with suppress(Closed):
            while not self._ended.wait(_BEAT_SECONDS):
                self.execute("SELECT 1")
                with self._lock:  # what is dropped meanwhile must not be taken again
                    for number in tuple(self._lost):
                        self.take(number)

    def _execute(self, query: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        if self._connection.closed and not self._ended.is_set():
            self._mend()
        cursor = self._connection.execute(query, arguments)
        return cursor.fetchall() if cursor.description else []

    def _mend(self) -> None:
        """Connect anew and take everything again; what a connection that the server still believes in holds, later."""
        self._lost |= self._held
        self._held.clear()
        self._connection = self._database.connect()
        self.breaks += 1
        self._mended, self._is_settled = time.monotonic(), False
        if self._is_present:
            self._show()
        for number in sorted(self._lost):
            if self._try(number):
                self._held.add(number)
        self._lost -= self._held

    def _try(self, number: int) -> bool:
        return bool(self._execute("SELECT pg_try_advisory_lock(%s, %s)", (self._study, number))[0][0])

    def _show(self) -> None:
        self._execute("SELECT pg_try_advisory_lock_shared(%s, %s)", (self._study, _PRESENT))
