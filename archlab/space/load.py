"""A search space from a YAML."""

from dataclasses import replace
from pathlib import Path

from archlab.architecture import UNetSpec, find
from archlab.document import Document
from archlab.errors import BadInput
from archlab.section import Source, read_section
from archlab.space.domain import read_domains
from archlab.space.requirement import Requirement
from archlab.space.settings import SpaceSettings, Target
from archlab.space.space import SearchSpace

FORM = "a search space needs at least baseline and knobs"


def load_space(path: str | Path) -> SearchSpace:
    """The search space of a YAML; what a study's YAML says besides is not looked at.

    Raises:
        BadInput: one line with file, line, column, what is wrong and what would be right.
    """
    document = Document(Path(path), FORM)
    own = {key: value for key, value in document.data.items() if key in SpaceSettings.model_fields}
    return read_space(read_section(SpaceSettings, own, document), document, document.path.stem)


def read_space(settings: SpaceSettings, source: Source, name: str) -> SearchSpace:
    """The search space of this name that the settings, which were read from the source, describe.

    Raises:
        BadInput: with the line, for what the baseline does not allow, or requirements that nothing meets.
    """
    baseline = _read_baseline(source, settings)
    knobs = read_domains(source, settings.knobs, baseline)
    space = SearchSpace(
        name=name,
        baseline=baseline,
        knobs=knobs,
        requirements=tuple(
            _read_requirement(source, index, text, tuple(knobs)) for index, text in enumerate(settings.require)
        ),
    )
    try:
        if space.size == 0:
            raise BadInput("no combination of knob values meets all of them")
    except BadInput as error:
        raise source.error(["require"], str(error)) from None
    return space


def _read_baseline(source: Source, settings: SpaceSettings) -> UNetSpec:
    written = settings.baseline
    try:
        baseline = find(written.preset, relative_to=source.folder(["baseline", "preset"])).scaled(width=written.width)
    except BadInput as error:
        raise source.error(["baseline"], str(error)) from None
    try:
        return _as_target(baseline, settings.target)
    except BadInput as error:
        raise source.error(["target"], str(error)) from None


def _as_target(baseline: UNetSpec, target: Target) -> UNetSpec:
    context = target.context
    return replace(
        baseline,
        sample_size=target.sample_size or baseline.sample_size,
        context_dim=context.dim if context else baseline.context_dim,
        context_length=context.length if context else baseline.context_length,
    )


def _read_requirement(source: Source, index: int, text: str, knobs: tuple[str, ...]) -> Requirement:
    try:
        return Requirement(text, knobs)
    except BadInput as error:
        raise source.error(["require", index], str(error)) from None
