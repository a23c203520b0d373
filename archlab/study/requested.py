"""What a command asks for: the study of a YAML, or one that is there already, with settings over those it has."""

from collections.abc import Sequence
from pathlib import Path

from archlab.errors import BadInput
from archlab.layered import Layer, Written, assignment, read_layers
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.file import StudyFile
from archlab.study.folder import study_folder
from archlab.study.saved import HOW_IT_RUNS, SavedStudy


def requested_definition(
    space: str, root: Path, trials: int | None = None, assignments: Sequence[str] = ()
) -> StudyDefinition:
    """The definition of a YAML, or of the study ``root/space``.

    Args:
        trials: over ``search.trials``.
        assignments: ``key=value``, over everything else; of a study that is there, of ``search`` and ``trial`` alone.

    Raises:
        BadInput: one line with file, line, column, or with the option, what is wrong and what would be right.
    """
    overrides: list[Layer] = [] if trials is None else [Written({"search": {"trials": trials}}, lambda _: "--trials")]
    overrides += [assignment(StudyFile, each) for each in assignments]
    is_there = not Path(space).is_file() and (root / space / "study.yaml").is_file()
    definition = _of_study(space, root, overrides) if is_there else load_definition(space, overrides)
    if trials is not None and definition.plan().arms:
        raise BadInput(f"--trials: {definition.settings.strategy} has a plan, which has the arms it has")
    return definition


def _of_study(name: str, root: Path, overrides: Sequence[Layer]) -> StudyDefinition:
    settings = study_folder(name, root).settings()
    for override in overrides:
        for key in override.data:
            if key not in HOW_IT_RUNS:
                raise override.error(
                    [key],
                    f"study {name} is there already, and only {' and '.join(HOW_IT_RUNS)} may change by name; "
                    "give its YAML, and another study its own --name",
                )
    study = Written(settings.to_plain(), lambda place: f"study {name}: {'.'.join(map(str, place))}")
    return read_layers(SavedStudy, [study, *overrides], study).definition() if overrides else settings.definition()
