"""What a study has come to, read from disk."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from archlab.study import load_study


def journal(study: Path) -> optuna.Study:
    """The study as Optuna has it."""
    storage = JournalStorage(JournalFileBackend(str(study / "journal.log")))
    return optuna.load_study(study_name=study.name, storage=storage)


def database(study: str, url: str) -> optuna.Study:
    """The same of a study that is shared through PostgreSQL."""
    storage = RDBStorage(url.replace("postgresql:", "postgresql+psycopg:"))
    return optuna.load_study(study_name=study, storage=storage)


def facts(root: Path) -> list[tuple[object, ...]]:
    """Of every trial of ``mini``: number, status, architecture, MACs, quality."""
    table = load_study("mini", root).trials.fillna({"quality": -1.0})
    return [tuple(row) for row in table[["trial", "status", "architecture", "macs_g", "quality"]].to_numpy()]
