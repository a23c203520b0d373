"""A search space from its YAML."""

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from archlab.architecture import UNetSpec, find
from archlab.document import Document
from archlab.errors import BadInput, nearest
from archlab.space.domain import read_domains
from archlab.space.ladder import ladder_values
from archlab.space.requirement import Requirement
from archlab.space.settings import SpaceFile, Target, words
from archlab.space.space import SearchSpace


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
        return _with_every_step(SpaceFile.model_validate(document.data))
    except ValidationError as invalid:
        errors = invalid.errors()
    error = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    place = list(error["loc"])
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
    if error["type"] in ("too_short", "too_long"):
        bounds = "at least one entry" if error["type"] == "too_short" else "one entry at most"
        raise document.error(place, f"must have {bounds}")
    if error["type"] == "value_error":
        message = error["msg"].removeprefix("Value error, ")
        section, colon, rest = message.partition(": ")
        raise document.error([section], rest) if not place and colon else document.error(place, message)
    raise document.error(place, f"{error['msg']}, not {error['input']!r}")


def _with_every_step(settings: SpaceFile) -> SpaceFile:
    """A ladder has a trial for the baseline and one for every step."""
    if not settings.ladder:
        return settings
    search = settings.search.model_copy(update={"trials": len(settings.ladder) + 1})
    return settings.model_copy(update={"search": search})


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
