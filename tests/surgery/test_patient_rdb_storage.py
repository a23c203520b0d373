"""Optuna's tables under the patience of their caller, behind Optuna's own cache."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from archlab.surgery.patient_rdb_storage import PatientRDBStorage


def _optimize(storage: RDBStorage) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="mini", storage=storage, load_if_exists=True)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    return study


def test_every_call_of_the_cache_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away at every other session; a study behind Optuna's cache does not see it."""
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    is_patient, breaks = False, 0

    def patience(act: Callable[[], Any]) -> Any:
        nonlocal is_patient
        before, is_patient = is_patient, True
        try:
            while True:
                try:
                    return act()
                except StorageInternalError:
                    continue
        finally:
            is_patient = before

    storage = PatientRDBStorage(patience, url, {})
    session = storage.scoped_session

    def every_other() -> Any:
        nonlocal breaks
        assert is_patient, "a call that does not wait"
        breaks += 1
        if breaks % 2:
            raise StorageInternalError("the database is away")
        return session()

    monkeypatch.setattr(storage, "scoped_session", every_other)
    study = _optimize(storage)
    assert len(study.trials) == 3
    assert breaks > 6
    monkeypatch.undo()
    assert [trial.value for trial in optuna.load_study(study_name="mini", storage=url).trials] == [
        trial.value for trial in study.trials
    ]


def test_a_finish_whose_answer_was_lost_is_no_error(tmp_path: Path) -> None:
    def asks_twice(act: Callable[[], Any]) -> Any:
        act()
        return act()

    url = f"sqlite:///{tmp_path / 'trials.db'}"
    storage = RDBStorage(url)
    trial_id = storage.create_new_trial(storage.create_new_study([StudyDirection.MAXIMIZE]))
    assert PatientRDBStorage(asks_twice, url, {}).set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])


def test_tables_without_a_private_method_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("archlab.surgery.patient_rdb_storage._CALLED_BY_THE_CACHE", ("_now_elsewhere",))
    assert len(_optimize(PatientRDBStorage(lambda act: act(), f"sqlite:///{tmp_path / 't.db'}", {})).trials) == 3
    said = capsys.readouterr().err
    assert said.startswith(
        f"archlab: optuna {optuna.__version__} is not as 5.0 was: there is no RDBStorage._now_elsewhere; "
    )
    assert said.count("\n") == 1
