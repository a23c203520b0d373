"""Optuna's cache in front of a database, and the way without it."""

from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from archlab.surgery.optuna_cache import with_cache


def test_trials_are_the_same_with_and_without_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = RDBStorage(f"sqlite:///{tmp_path / 'trials.db'}")
    cached = optuna.create_study(study_name="mini", storage=with_cache(database))
    cached.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    monkeypatch.delattr(optuna.storages, "get_storage")
    plain = with_cache(database)
    assert plain is database
    said = capsys.readouterr().err
    assert said.startswith(
        f"archlab: optuna {optuna.__version__} is not as 5.0 was: there is no storages.get_storage; "
    )
    assert said.count("\n") == 1
    assert plain.get_all_trials(plain.get_study_id_from_name("mini")) == cached.trials
