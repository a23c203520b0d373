"""What the drivers of one study share: Optuna's trials, the right to work on one, finished records."""

from archlab.study.store.contract import Store
from archlab.study.store.opening import check_storage, open_store

__all__ = ["Store", "check_storage", "open_store"]
