"""Optuna's trials from a study's records: numbers, values and verdicts are kept."""

from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from archlab.space import SearchSpace
from archlab.study.fitting import fitting_values, hard_limits
from archlab.study.folder import StudyFolder
from archlab.study.outcome import outcome
from archlab.study.record import Record
from archlab.study.sampler import as_params, suggest


def open_optuna(storage: BaseStorage, settings: dict[str, Any]) -> optuna.Study:
    """The Optuna study of these settings; every revision of the space has one of its own."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name, revision = settings["name"], settings.get("revision", 1)
    return optuna.create_study(
        study_name=name if revision == 1 else f"{name}~{revision}",
        storage=storage,
        directions=["minimize"] * len(settings["objectives"]),
        load_if_exists=True,
    )


def rebuild(study: optuna.Study, space: SearchSpace, folder: StudyFolder) -> None:
    """Add the trials that the folder knows and Optuna does not.

    A trial without a record that fits the space, be it that it was interrupted or that the space has changed, is
    there as a failed one, so that the numbers stay.
    """
    last = max(folder.numbers(), default=-1)
    if len(study.get_trials(deepcopy=False)) > last:
        return
    records = {record.trial: record for record in folder.records()}
    limits = hard_limits(space, folder.baseline())
    while (number := len(study.get_trials(deepcopy=False))) <= last:  # counted anew: a database may add one twice
        study.add_trial(_trial(space, records.get(number), limits))


def _trial(space: SearchSpace, record: Record | None, limits: dict[str, float]) -> FrozenTrial:
    values = None if record is None else fitting_values(space, record)
    if record is None or values is None:
        return create_trial(state=TrialState.FAIL)
    asked = FixedTrial(as_params(values))
    suggest(asked, space)
    told = outcome(record, space.settings.objectives, limits)
    return create_trial(
        state=told.state,
        values=told.values,
        params=asked.params,
        distributions=asked.distributions,
        constraints=told.constraints,
    )
