"""What a study is: its search space, and the settings of everything else."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from archlab.document import BadPlace, Document
from archlab.latency.measurement import with_files
from archlab.section import read_section, with_paths
from archlab.space import Design, Plan, SearchSpace, lay_out, read_space
from archlab.study.file import StudyFile

_FORM = "a search space needs at least baseline, knobs and proxy.data"


@dataclass(frozen=True)
class StudyDefinition:
    """A study before it is run."""

    space: SearchSpace
    settings: StudyFile

    @property
    def name(self) -> str:
        """The study's name unless another is given; the YAML's file name."""
        return self.space.name

    @property
    def design(self) -> Design:
        """How the arms of its plan follow from the space."""
        return self.settings.design

    def plan(self) -> Plan:
        """The arms of its plan, none for a search; laid out once.

        Raises:
            BadPlace: see `archlab.space.lay_out`.
        """
        return self._plan

    @cached_property
    def _plan(self) -> Plan:
        return lay_out(self.space, self.design)

    def with_settings(self, **changes: Any) -> "StudyDefinition":
        """The same with other sections."""
        return replace(self, settings=self.settings.model_copy(update=changes))

    def with_trials(self, trials: int) -> "StudyDefinition":
        """The same with another number of trials."""
        return self.with_settings(search=self.settings.search.model_copy(update={"trials": trials}))


def load_definition(path: str | Path) -> StudyDefinition:
    """Read and validate a study's YAML.

    Raises:
        BadInput: one line with file, line, column, what is wrong and what would be right.
    """
    document = Document(Path(path), _FORM)
    settings = _completed(read_section(StudyFile, document.data, document), document)
    space = read_space(settings, document)
    definition = StudyDefinition(space, settings)
    try:
        definition.plan()
    except BadPlace as error:
        raise document.error(error.place, error.problem, at_key=error.at_key) from None
    return definition


def _completed(settings: StudyFile, document: Document) -> StudyFile:
    """What is left open and follows from the rest: a ladder has a trial for the baseline and one for every step, a
    limit without a device is on the first, and files are relative to the YAML."""
    search, constraints = settings.search, settings.constraints
    if settings.ladder:
        search = search.model_copy(update={"trials": len(settings.ladder) + 1})
    if settings.measure:
        constraints = constraints.on(settings.measure[0].name)
    measure = tuple(with_files(entry, ["measure", index], document) for index, entry in enumerate(settings.measure))
    proxy = with_paths(settings.proxy, ["proxy"], document)
    return settings.model_copy(
        update={"search": search, "constraints": constraints, "measure": measure, "proxy": proxy}
    )
