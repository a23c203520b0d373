"""Whether a space and a study belong together, and what of the study stays when the space has changed."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import archlab
from archlab.errors import BadInput
from archlab.space import SearchSpace, label
from archlab.study.fitting import fits, hard_limits
from archlab.study.folder import StudyFolder

_HOW_IT_RUNS = ("search", "trial")  # may change at any time
_WHAT_IS_ASKED = ("knobs", "require", "constraints", "objectives", "ladder")  # may change: trials that fit are kept


def claim(folder: StudyFolder, space: SearchSpace, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Make the folder for ``space``, or check that it was made for it or for one whose trials are of the same kind.

    Returns the settings, which are then in ``study.yaml``. Where what is asked for has changed, they have a new
    ``revision``, and under ``left_out`` the trials that the space has no place for; ``say`` hears how many fit.

    Raises:
        BadInput: it holds a study of another space, or one that is shared through a database.
    """
    existing = folder.settings() if folder.exists else None
    if existing and "storage" in existing:
        raise BadInput(f"{folder.path} is shared through {existing['storage']}: give its address with --storage")
    settings = claimed(existing, space, folder)
    settle(folder, space, settings)
    if existing and is_revised(existing, settings):
        say(taken_over(settings, folder))
    return settings


def claimed(existing: dict[str, Any] | None, space: SearchSpace, folder: StudyFolder) -> dict[str, Any]:
    """The settings of a study of ``space`` that had the ``existing`` ones; nothing is written.

    Raises:
        BadInput: they are of another space.
    """
    wanted = resolved(space)
    if existing is None:
        return {"name": folder.name, "uid": secrets.token_hex(8), "archlab": archlab.__version__, **wanted}
    fixed = {key: value for key, value in wanted.items() if key not in (*_HOW_IT_RUNS, *_WHAT_IS_ASKED)}
    if differences := list(_differences(existing, fixed)):
        raise BadInput(
            f"{folder.path} holds a study of another space: {'; '.join(differences[:3])}"
            f"{' …' if len(differences) > 3 else ''}. Give this one a name of its own: --name {folder.name}2"
        )
    settings = existing | wanted
    if any(list(_differences(existing.get(key), wanted[key], (key,))) for key in _WHAT_IS_ASKED):
        limits = hard_limits(space, folder.baseline())
        unfit = [record.trial for record in folder.all_records() if not fits(space, record, limits)]
        settings |= {"revision": existing.get("revision", 1) + 1, "left_out": unfit}
    return settings


def settle(folder: StudyFolder, space: SearchSpace, settings: dict[str, Any]) -> None:
    """Write the settings, and what follows from them and the baseline: its knob values, the limits."""
    folder.write_settings(settings)
    baseline = folder.baseline()
    if baseline:
        folder.write_baseline(baseline | {"knobs": space.baseline_values, "limits": hard_limits(space, baseline)})


def is_revised(existing: dict[str, Any], settings: dict[str, Any]) -> bool:
    """Whether what is asked for has changed."""
    return bool(existing.get("revision", 1) != settings.get("revision", 1))


def taken_over(settings: dict[str, Any], folder: StudyFolder) -> str:
    """How many of the study's trials fit the changed space, in words."""
    total = len(folder.all_records())
    return f"the space has changed: {total - len(settings['left_out'])} of {total} trials fit and were taken over"


def resolved(space: SearchSpace) -> dict[str, Any]:
    """Everything a study depends on, defaults included, as plain data."""
    settings = space.settings.model_dump(mode="json")
    settings["knobs"] = {
        name: {
            "values": [label(value) for value in domain.values],
            **({"range": True} if domain.ordered else {}),
            **(
                {"when": {other: [label(v) for v in wanted] for other, wanted in domain.when.items()}}
                if domain.when
                else {}
            ),
        }
        for name, domain in space.knobs.items()
    }
    return {**settings, "baseline_architecture": _plain(space.baseline.to_dict())}


def _plain(value: Any) -> Any:
    """Tuples as lists, as YAML gives them back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _differences(old: Any, new: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in new if not place else old | new:
            yield from _differences(old.get(key), new.get(key), (*place, str(key)))
    elif place[:1] == ("baseline_architecture",) and old != new:
        yield "the baseline's architecture"
    elif old != new:
        yield f"{'.'.join(place)} was {_short(old)} and is {_short(new)}"


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
