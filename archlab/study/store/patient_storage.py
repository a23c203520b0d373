"""Optuna's storage in a database that may go away: every call waits until it is back."""

import abc
from collections.abc import Callable
from typing import Any, cast

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage

Patience = Callable[[Callable[[], Any]], Any]  # calls what it is given until the database has answered


def patient_storage(inner: BaseStorage, patience: Patience) -> BaseStorage:
    """The storage with every public method under ``patience``; an answer that was lost with the connection is not an
    error."""
    storage: BaseStorage = cast(Any, _PatientStorage)(inner, patience)
    return storage


class _PatientStorage(BaseStorage):
    def __init__(self, inner: BaseStorage, patience: Patience) -> None:
        self.inner, self.patience = inner, patience


def _patient(name: str) -> Callable[..., Any]:
    def method(self: _PatientStorage, *arguments: Any, **named: Any) -> Any:
        tried = False

        def act() -> Any:
            nonlocal tried
            again, tried = tried, True
            try:
                return getattr(self.inner, name)(*arguments, **named)
            except UpdateFinishedTrialError:
                if again and name == "set_trial_state_values":
                    return True
                raise

        return self.patience(act)

    return method


for _name, _method in vars(BaseStorage).items():
    if callable(_method) and not _name.startswith("_"):
        setattr(_PatientStorage, _name, _patient(_name))
abc.update_abstractmethods(cast(Any, _PatientStorage))
