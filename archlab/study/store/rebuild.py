"""Optuna's trials from a study's records: numbers, values and ends stay."""

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from archlab.evaluation import Record
from archlab.evaluation.measures import direction
from archlab.study.compatibility import fitting_values
from archlab.study.definition import StudyDefinition
from archlab.study.folder import StudyFolder
from archlab.study.limits import hard_limits
from archlab.study.optuna_result import optuna_result
from archlab.study.sampler import with_values
from archlab.study.saved import SavedStudy


def open_optuna(storage: BaseStorage, settings: SavedStudy) -> optuna.Study:
    """The Optuna study of these settings; every revision of the space has one of its own."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name=optuna_name(settings),
        storage=storage,
        directions=[direction(name) for name in settings.objectives],
        load_if_exists=True,
    )


def optuna_name(settings: SavedStudy) -> str:
    """What Optuna calls the study of these settings."""
    return settings.name if settings.revision == 1 else f"{settings.name}~{settings.revision}"


def reopened(study: optuna.Study, storage: BaseStorage, number: int) -> optuna.Trial:
    """The study's trial of that number, which was asked before, to be suggested and told.

    Args:
        storage: where the study is.
    """
    study_id = storage.get_study_id_from_name(study.study_name)
    return optuna.Trial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))


def begun(study: optuna.Study, storage: BaseStorage, trial: FrozenTrial) -> optuna.Trial:
    """The study's new trial like this one.

    Args:
        storage: where the study is.
    """
    return optuna.Trial(study, storage.create_new_trial(storage.get_study_id_from_name(study.study_name), trial))


def rebuild(study: optuna.Study, definition: StudyDefinition, folder: StudyFolder) -> None:
    """Add the trials that the folder knows and Optuna does not.

    A trial without a record that fits the space, be it that it was interrupted or that the space has changed, is
    there as a failed one, so that the numbers stay.
    """
    last = max(folder.numbers(), default=-1)
    if len(study.get_trials(deepcopy=False)) > last:
        return
    records = {record.trial: record for record in folder.records()}
    baseline = folder.baseline()
    limits = hard_limits(definition, baseline.latency if baseline else {})
    while (number := len(study.get_trials(deepcopy=False))) <= last:  # counted anew: a database may add one twice
        study.add_trial(_trial(definition, records.get(number), limits))


def _trial(definition: StudyDefinition, record: Record | None, limits: dict[str, float]) -> FrozenTrial:
    values = None if record is None else fitting_values(definition.space, record)
    if record is None or values is None:
        return create_trial(state=TrialState.FAIL)
    asked = with_values(values, definition.space)
    result = optuna_result(record, definition.settings, limits)
    return create_trial(
        state=result.state,
        values=result.values,
        params=asked.params,
        distributions=asked.distributions,
        constraints=result.constraints,
    )
