"""What the drivers of one study share: Optuna's trials, the right to work on one, finished records."""

from archlab.study.store.contract import Store
from archlab.study.store.opening import open_store

__all__ = ["Store", "open_store"]
