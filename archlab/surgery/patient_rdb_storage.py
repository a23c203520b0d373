"""Optuna's tables in a database that may go away: every call waits until it is back.

Written for Optuna 5.0: its cache of finished trials calls three private methods of the tables beside the public ones.
Where one is gone under that name, what the cache calls instead does not wait: a study ends when the database goes away,
and is resumed by the same command.
"""

from collections.abc import Callable
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "5.0"

Patience = Callable[[Callable[[], Any]], Any]  # calls what it is given until the database has answered

_CALLED_BY_THE_CACHE = ("_create_new_trial", "_set_trial_param", "_get_trials")


class PatientRDBStorage(RDBStorage):
    """Optuna's tables, every call of which is under ``patience``; an answer that was lost with the connection is not an
    error."""

    def __init__(self, patience: Patience, url: str, engine_kwargs: dict[str, Any]) -> None:
        self.patience = patience
        for name in _CALLED_BY_THE_CACHE:
            if not hasattr(RDBStorage, name):
                instead = "a study may end when its database goes away"
                fall_back("optuna", WRITTEN_FOR, f"there is no RDBStorage.{name}", instead)
        super().__init__(url, engine_kwargs)


def _patient(name: str) -> Callable[..., Any]:
    inner = getattr(RDBStorage, name)

    def method(self: PatientRDBStorage, *arguments: Any, **named: Any) -> Any:
        tried = False

        def act() -> Any:
            nonlocal tried
            again, tried = tried, True
            try:
                return inner(self, *arguments, **named)
            except UpdateFinishedTrialError:
                if again and name == "set_trial_state_values":
                    return True
                raise

        return self.patience(act)

    return method


for _name in (*BaseStorage.__abstractmethods__, *_CALLED_BY_THE_CACHE):
    if hasattr(RDBStorage, _name):
        setattr(PatientRDBStorage, _name, _patient(_name))
