"""What a study is: its search space, and the settings of everything else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from archlab.document import BadPlace, Document
from archlab.latency.measurement import with_files
from archlab.layered import Layer, Layers
from archlab.section import Source, read_section, with_paths
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


def load_definition(path: str | Path, overrides: Sequence[Layer] = ()) -> StudyDefinition:
    """Read and validate a study's YAML.

    Args:
        overrides: settings over those of the YAML, a later one over an earlier; see `archlab.study.requested`.

    Raises:
        BadInput: one line with file, line, column, or with the override, what is wrong and what would be right.
    """
    document = Document(Path(path), _FORM)
    source = Layers([document, *overrides], document)
    settings = _completed(read_section(StudyFile, source.data, source), source)
    definition = StudyDefinition(read_space(settings, source, document.path.stem), settings)
    try:
        definition.plan()
    except BadPlace as error:
        raise source.error(error.place, error.problem, at_key=error.at_key) from None
    return definition


def _completed(settings: StudyFile, source: Source) -> StudyFile:
    """What is left open and follows from the rest: a ladder has a trial for the baseline and one for every step, a
    limit without a device is on the first, and files are relative to the YAML."""
    search, constraints = settings.search, settings.constraints
    if settings.ladder:
        search = search.model_copy(update={"trials": len(settings.ladder) + 1})
    if settings.measure:
        constraints = constraints.on(settings.measure[0].name)
    measure = tuple(with_files(entry, ["measure", index], source) for index, entry in enumerate(settings.measure))
    proxy = with_paths(settings.proxy, ["proxy"], source)
    return settings.model_copy(
        update={"search": search, "constraints": constraints, "measure": measure, "proxy": proxy}
    )
