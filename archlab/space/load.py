"""A search space from its YAML."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archlab.architecture import UNetSpec, find
from archlab.document import Document, Place
from archlab.errors import BadInput, nearest
from archlab.space.domain import read_domains
from archlab.space.ladder import ladder_values
from archlab.space.requirement import Requirement
from archlab.space.settings import BUILTIN_DATA, Measurement, ProxySettings, SpaceFile, Target, words
from archlab.space.space import SearchSpace

_NAMED_OR_PATH: dict[str, tuple[str, ...]] = {
    "data": BUILTIN_DATA,
    "vae": (),
    "text": (),
    "extractor": ("reader",),
    "clip": (),
}


def load_space(path: str | Path) -> SearchSpace:
    """Read and validate a search-space YAML.

    Raises:
        BadInput: one line with file, line, column, what is wrong and what would be right.
    """
    path = Path(path)
    document = Document(path, "a search space needs at least baseline, knobs and proxy.data")
    settings = _read_settings(document)
    baseline = _read_baseline(document, settings, path.parent)
    knobs = read_domains(document, settings.knobs, baseline)
    space = SearchSpace(
        name=path.stem,
        baseline=baseline,
        knobs=knobs,
        requirements=tuple(
            _read_requirement(document, index, text, tuple(knobs)) for index, text in enumerate(settings.require)
        ),
        settings=settings,
    )
    try:
        if space.size == 0:
            raise BadInput("no combination of knob values meets all of them")
    except BadInput as error:
        raise document.error(["require"], str(error)) from None
    for index in range(len(settings.ladder)):
        try:
            ladder_values(space, index + 1)
        except BadInput as error:
            raise document.error(["ladder", index, "values"], str(error)) from None
    return space


def _read_settings(document: Document) -> SpaceFile:
    try:
        return _completed(SpaceFile.model_validate(document.data), document)
    except ValidationError as invalid:
        errors = invalid.errors()
    error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    place = _as_written(error["loc"], document.data)
    if error["type"] == "extra_forbidden":
        valid = words(SpaceFile, place[:-1])
        raise document.error(place, f"unknown key{nearest(str(place[-1]), valid)}", at_key=True)
    if error["type"] == "missing":
        raise document.error(place, "is missing", at_key=True)
    if error["type"] == "literal_error":
        valid = [word.strip("' ") for word in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        raise document.error(place, f"no {error['input']!r}{nearest(str(error['input']), valid)}")
    if error["type"] == "tuple_type":
        raise document.error(place, f"must be a list, not {error['input']!r}")
    if error["type"] == "too_short":
        raise document.error(place, "must have at least one entry")
    if error["type"] == "value_error":
        message = error["msg"].removeprefix("Value error, ")
        if not place:
            where, _, message = message.partition(": ")
            parts = [int(part) if part.isdigit() else part for part in where.split(".")]
            place = _as_written(parts, document.data)
        raise document.error(place, message)
    raise document.error(place, f"{error['msg']}, not {error['input']!r}")


def _as_written(place: Sequence[str | int], data: Any) -> list[str | int]:
    """The place without the index of a list whose only entry is written without the list."""
    written: list[str | int] = []
    for part in place:
        if isinstance(data, dict) and part == 0 and part not in data:
            continue
        written.append(part)
        is_there = part in data if isinstance(data, dict) else isinstance(data, list)
        data = data[part] if is_there else None
    return written


def _completed(settings: SpaceFile, document: Document) -> SpaceFile:
    """What is left open and follows from the rest: a ladder has a trial for the baseline and one for every step, a
    limit on latency without a device is on the first, and files are relative to the YAML."""
    search, constraints = settings.search, settings.constraints
    if settings.ladder:
        search = search.model_copy(update={"trials": len(settings.ladder) + 1})
    if constraints.latency_ms:
        first = settings.measure[0].name
        limits = [limit.model_copy(update={"device": limit.device or first}) for limit in constraints.latency_ms]
        constraints = constraints.model_copy(update={"latency_ms": tuple(limits)})
    measure = tuple(_with_files(entry, ["measure", index], document) for index, entry in enumerate(settings.measure))
    proxy = _with_data(settings.proxy, document)
    update = {"search": search, "constraints": constraints, "measure": measure, "proxy": proxy}
    return settings.model_copy(update=update)


def _with_data(proxy: ProxySettings, document: Document) -> ProxySettings:
    """Whatever of data, weights and encoders is a path, found."""
    found = {}
    for key, builtin in _NAMED_OR_PATH.items():
        name = getattr(proxy, key)
        if name is None or name in builtin:
            continue
        path = document.path.parent / name
        if not os.path.exists(path):
            message = f"no {name!r}, nor is it a path{nearest(name, builtin)}" if builtin else f"no such path: {name!r}"
            raise document.error(["proxy", key], message)
        found[key] = name if os.path.isabs(name) else os.path.relpath(path)
    return proxy.model_copy(update=found)


def _with_files(entry: Measurement, place: Place, document: Document) -> Measurement:
    files = {}
    if entry.table is not None:
        files["table"] = _find_file(entry.table, [*place, "table"], document)
    if entry.device.startswith("replay:"):
        recording = entry.device.removeprefix("replay:")
        files["device"] = f"replay:{_find_file(recording, [*place, 'device'], document)}"
    return entry.model_copy(update=files)


def _find_file(name: str, place: Place, document: Document) -> str:
    """The path of a file that is named relative to the YAML; relative to the working directory unless absolute."""
    path = document.path.parent / name
    if not os.path.isfile(path):  # False, too, for what cannot be a path
        raise document.error(place, f"{str(path)!r}: no such file")
    return name if os.path.isabs(name) else os.path.relpath(path)


def _read_baseline(document: Document, settings: SpaceFile, folder: Path) -> UNetSpec:
    try:
        baseline = find(settings.baseline, relative_to=folder)
    except BadInput as error:
        raise document.error(["baseline"], str(error)) from None
    try:
        return _as_target(baseline, settings.target)
    except BadInput as error:
        raise document.error(["target"], str(error)) from None


def _as_target(baseline: UNetSpec, target: Target) -> UNetSpec:
    context = target.context
    return replace(
        baseline,
        sample_size=target.sample_size or baseline.sample_size,
        context_dim=context.dim if context else baseline.context_dim,
        context_length=context.length if context else baseline.context_length,
    )


def _read_requirement(document: Document, index: int, text: str, knobs: tuple[str, ...]) -> Requirement:
    try:
        return Requirement(text, knobs)
    except BadInput as error:
        raise document.error(["require", index], str(error)) from None
