"""Whether a definition and a study on disk belong together, and what of the study stays when the definition changed."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import archlab
from archlab.errors import BadInput
from archlab.evaluation import Record
from archlab.evaluation.measures import breaks
from archlab.space import SearchSpace
from archlab.space.knobs import Value
from archlab.study.definition import StudyDefinition
from archlab.study.folder import StudyFolder
from archlab.study.limits import hard_limits
from archlab.study.saved import HOW_IT_RUNS, SavedStudy, saved

_WHAT_IS_ASKED = ("knobs", "require", "constraints", "objectives", "ladder")  # may change: trials that fit stay
_KNOWN_BY = {"name", "uid", "archlab", "revision", "left_out", "storage"}


def open_folder(
    folder: StudyFolder, definition: StudyDefinition, say: Callable[[str], None] = lambda _: None
) -> SavedStudy:
    """Make the folder for the definition, or check that it was made for it or for one whose trials are comparable.

    Returns the settings, which are then in ``study.yaml``. Where what is asked for has changed, they have a new
    ``revision``, and under ``left_out`` the trials that the space has no place for; ``say`` hears how many fit.

    Raises:
        BadInput: it holds a study of another space, or one that is shared through a database.
    """
    existing = folder.settings() if folder.exists else None
    if existing and existing.storage is not None:
        raise BadInput(f"{folder.path} is shared through {existing.storage}: give its address with --storage")
    settings = settings_for(existing, definition, folder)
    write_settings(folder, definition, settings)
    if existing and is_revised(existing, settings):
        say(taken_over(settings, folder))
    return settings


def settings_for(existing: SavedStudy | None, definition: StudyDefinition, folder: StudyFolder) -> SavedStudy:
    """The settings of a study of the definition that had the ``existing`` ones; nothing is written.

    Raises:
        BadInput: they are of another space.
    """
    if existing is None:
        return saved(definition, name=folder.name, uid=secrets.token_hex(8), archlab=archlab.__version__)
    wanted = saved(definition, **{name: getattr(existing, name) for name in _KNOWN_BY})
    before, after = existing.model_dump(mode="json"), wanted.model_dump(mode="json")
    fixed = [key for key in after if key not in {*HOW_IT_RUNS, *_WHAT_IS_ASKED, *_KNOWN_BY}]
    if differences := [text for key in fixed for text in _differences(before[key], after[key], (key,))]:
        raise BadInput(
            f"{folder.path} holds a study of another space: {'; '.join(differences[:3])}"
            f"{' …' if len(differences) > 3 else ''}. "
            f"Give the settings that it has, or another name: --name {folder.name}2"
        )
    if all(before[key] == after[key] for key in _WHAT_IS_ASKED):
        return wanted
    baseline = folder.baseline()
    limits = hard_limits(definition, baseline.latency if baseline else {})
    unfit = tuple(record.trial for record in folder.all_records() if not fits(definition, record, limits))
    return wanted.model_copy(update={"revision": existing.revision + 1, "left_out": unfit})


def write_settings(folder: StudyFolder, definition: StudyDefinition, settings: SavedStudy) -> None:
    """Write the settings, and what follows from them and the baseline: its knob values, the limits."""
    folder.write_settings(settings)
    baseline = folder.baseline()
    if baseline:
        limits = hard_limits(definition, baseline.latency)
        folder.write_baseline(replace(baseline, knobs=definition.space.baseline_values, limits=limits))


def is_revised(existing: SavedStudy, settings: SavedStudy) -> bool:
    """Whether what is asked for has changed."""
    return existing.revision != settings.revision


def taken_over(settings: SavedStudy, folder: StudyFolder) -> str:
    """How many of the study's trials fit the changed space, in words."""
    total = len(folder.all_records())
    return f"the space has changed: {total - len(settings.left_out)} of {total} trials fit and were taken over"


def fits(definition: StudyDefinition, record: Record, limits: Mapping[str, float]) -> bool:
    """Whether the space would have asked for the trial's architecture and come to the same end."""
    evaluation = record.evaluation
    if evaluation.gate == "require" or fitting_values(definition.space, record) is None:
        return False
    known = {name: evaluation.value(name) for name in limits}
    over = {name for name, limit in limits.items() if (value := known[name]) is not None and breaks(name, value, limit)}
    return evaluation.gate in over if evaluation.gate else not over


def fitting_values(space: SearchSpace, record: Record) -> dict[str, Value] | None:
    """Values in effect for the trial's architecture; None where the space has none, or ``require`` excludes them."""
    found = {}
    for name, domain in space.knobs.items():
        try:
            found[name] = domain.find(record.knobs.get(name, space.baseline_values[name]))
        except BadInput:
            continue
    values = space.in_effect(found)
    is_whole = not any(
        all(values.get(other) in wanted for other, wanted in domain.when.items())
        for name, domain in space.knobs.items()
        if name not in values
    )
    if not is_whole or not space.permits(values) or space.spec(values).id != record.architecture:
        return None
    return values


def _differences(old: Any, new: Any, place: tuple[str, ...]) -> Iterator[str]:
    if place == ("baseline_architecture",):
        if old != new:
            yield "the baseline's architecture"
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            yield from _differences(old.get(key), new.get(key), (*place, str(key)))
    elif old != new:
        yield f"{'.'.join(place)} was {_short(old)} and is {_short(new)}"


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
