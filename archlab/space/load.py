"""A search space from a YAML."""

from dataclasses import replace
from pathlib import Path

from archlab.architecture import UNetSpec, find
from archlab.document import Document
from archlab.errors import BadInput
from archlab.section import read_section
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
    return read_space(read_section(SpaceSettings, own, document), document)


def read_space(settings: SpaceSettings, document: Document) -> SearchSpace:
    """The search space that the settings, which were read from the document, describe.

    Raises:
        BadInput: with the line, for what the baseline does not allow, or requirements that nothing meets.
    """
    baseline = _read_baseline(document, settings, document.path.parent)
    knobs = read_domains(document, settings.knobs, baseline)
    space = SearchSpace(
        name=document.path.stem,
        baseline=baseline,
        knobs=knobs,
        requirements=tuple(
            _read_requirement(document, index, text, tuple(knobs)) for index, text in enumerate(settings.require)
        ),
    )
    try:
        if space.size == 0:
            raise BadInput("no combination of knob values meets all of them")
    except BadInput as error:
        raise document.error(["require"], str(error)) from None
    return space


def _read_baseline(document: Document, settings: SpaceSettings, folder: Path) -> UNetSpec:
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
