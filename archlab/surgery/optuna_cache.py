"""Optuna's cache of finished trials in front of a database.

Written for Optuna 5.0: ``optuna.storages.get_storage``, which puts it there, is for Optuna's own use. Without it every
question about trials goes to the database.
"""

import optuna
from optuna.storages import BaseStorage, RDBStorage

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "5.0"


def with_cache(storage: RDBStorage) -> BaseStorage:
    """The storage behind Optuna's cache, as `optuna.create_study` would have it."""
    wrap = getattr(optuna.storages, "get_storage", None)
    if wrap is None:
        fall_back("optuna", WRITTEN_FOR, "there is no storages.get_storage", "trials are read from the database anew")
        return storage
    cached: BaseStorage = wrap(storage)
    return cached
