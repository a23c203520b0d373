"""A study's settings as they stand in ``study.yaml``: resolved, defaults included."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, field_validator

from archlab.architecture import ArchitectureError, UNetSpec, from_dict
from archlab.document import Document
from archlab.errors import BadInput, shown
from archlab.evaluation.fact import Whole, damaged
from archlab.section import Section
from archlab.space import KNOBS, Domain, Knob, SearchSpace, label
from archlab.space.domain import canonical
from archlab.space.knobs import Value
from archlab.space.requirement import Requirement
from archlab.study.definition import StudyDefinition
from archlab.study.file import StudyFile
from archlab.yaml12 import dump

_MEND = "restore it"
HOW_IT_RUNS = ("search", "trial")  # these may change at any time
_FIRST = ("name", "uid", "archlab")  # in the file
_NEW = {"revision": 1, "left_out": [], "storage": None}


class SavedKnob(Section):
    """A knob of the study: labels of its values, whether they are a range, and when it is active."""

    values: tuple[str | Whole | float, ...]
    range: bool = False
    when: dict[str, tuple[str | Whole | float, ...]] = Field(default_factory=dict)


class SavedStudy(StudyFile):
    """A study's YAML with its knobs resolved, and what the study is known by.

    Attributes:
        uid: of this study, whatever it is called.
        archlab: the version that made it.
        baseline_architecture: the baseline written down, as in an architecture YAML.
        revision: raised whenever what is asked for has changed.
        left_out: trials that a changed space has no place for.
        storage: the database that shares the study, without user and password.
    """

    name: str
    uid: str
    archlab: str = ""
    knobs: dict[str, SavedKnob]
    baseline_architecture: dict[str, Any]
    revision: Whole = 1
    left_out: tuple[Whole, ...] = ()
    storage: str | None = None

    @field_validator("baseline_architecture")
    @classmethod
    def _can_be_read(cls, content: dict[str, Any]) -> dict[str, Any]:
        try:
            from_dict(content)
        except (ArchitectureError, BadInput) as error:
            raise ValueError(str(error)) from None
        return content

    @field_validator("knobs")
    @classmethod
    def _are_known(cls, knobs: dict[str, SavedKnob]) -> dict[str, SavedKnob]:
        if unknown := next((name for name in knobs if name not in KNOBS), None):
            raise ValueError(f"there is no knob {shown(unknown)}")
        return knobs

    @property
    def baseline_spec(self) -> UNetSpec:
        """The baseline's architecture."""
        return from_dict(self.baseline_architecture)

    def to_plain(self) -> dict[str, Any]:
        """As YAML and JSON have it; what is as for a new study is left out."""
        content = dict.fromkeys(_FIRST) | self.model_dump(mode="json")
        return {name: value for name, value in content.items() if name not in _NEW or value != _NEW[name]}

    def definition(self) -> StudyDefinition:
        """The study's space and settings; labels of knob values are read back as values.

        Raises:
            BadInput: somebody damaged it.
        """
        baseline = self.baseline_spec
        try:
            domains = {
                name: Domain(KNOBS[name], _values(KNOBS[name], saved.values, baseline), saved.range)
                for name, saved in self.knobs.items()
            }
            knobs = {name: _with_conditions(domain, self.knobs[name], domains) for name, domain in domains.items()}
            requirements = tuple(Requirement(text, tuple(knobs)) for text in self.require)
        except (KeyError, BadInput) as error:
            raise BadInput(f"study.yaml: damaged: {error}; {_MEND}") from None
        return StudyDefinition(SearchSpace(self.name, baseline, knobs, requirements), self)


def saved(definition: StudyDefinition, **known: Any) -> SavedStudy:
    """The settings of a study with this definition.

    Args:
        known: ``name``, ``uid``, ``archlab`` and what else `SavedStudy` has.
    """
    knobs = {name: _saved_knob(domain) for name, domain in definition.space.knobs.items()}
    architecture = _plain(definition.space.baseline.to_dict())
    content = {name: getattr(definition.settings, name) for name in StudyFile.model_fields}
    return SavedStudy(**content | {"knobs": knobs, "baseline_architecture": architecture, **known})


def read_saved(content: Mapping[str, Any], where: object) -> SavedStudy:
    """The settings that `SavedStudy.to_plain` gave.

    Raises:
        BadInput: somebody damaged them.
    """
    try:
        return SavedStudy.model_validate(dict(content))
    except ValidationError as error:
        raise damaged(where, error, _MEND) from None


def load_saved(document: Document) -> SavedStudy:
    """``study.yaml``.

    Raises:
        BadInput: somebody damaged it.
    """
    return read_saved(document.data, document.path)


def to_yaml(settings: SavedStudy) -> str:
    """As ``study.yaml`` has it."""
    return dump(settings.to_plain())


def _saved_knob(domain: Domain) -> SavedKnob:
    when = {other: tuple(label(value) for value in wanted) for other, wanted in domain.when.items()}
    return SavedKnob.model_validate(
        {"values": [label(value) for value in domain.values], "range": domain.ordered, "when": when}
    )


def _with_conditions(domain: Domain, own: SavedKnob, domains: Mapping[str, Domain]) -> Domain:
    when = {other: tuple(domains[other].find(value) for value in wanted) for other, wanted in own.when.items()}
    return Domain(domain.knob, domain.values, domain.ordered, when)


def _values(knob: Knob, labels: tuple[Any, ...], baseline: UNetSpec) -> tuple[Value, ...]:
    return tuple(_value(knob, shown, baseline) for shown in labels)


def _value(knob: Knob, shown: Any, baseline: UNetSpec) -> Value:
    """``0 1 1 0 4`` is the label of a list unless the knob takes it as it is."""
    try:
        knob.apply(baseline, shown)
    except BadInput:
        parts = [int(part) if part.isdigit() else part for part in str(shown).split()]
        knob.apply(baseline, parts)
        return tuple(parts)
    value: Value = canonical(shown)
    return value


def _plain(value: Any) -> Any:
    """Tuples as lists, as YAML gives them back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
