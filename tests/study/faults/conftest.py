"""The database that the faults befall."""

from tests.study.store.conftest import server

__all__ = ["server"]
