"""ARCH on the command line: a preset, an architecture YAML, a diffusers folder, or study:trial."""

from pathlib import Path
from typing import TYPE_CHECKING

from archlab.studies import ROOT, check_study

if TYPE_CHECKING:
    from archlab.architecture import UNetSpec
    from archlab.study import Study


def find_architecture(name: str) -> "UNetSpec":
    """The architecture a user names: a preset, an architecture YAML, the folder of a UNet, a model or a pipeline, or
    ``study:trial`` (a number, a pick or ``baseline``).

    Raises:
        BadInput: there is none.
    """
    from archlab.architecture import find

    study = study_of(name)
    return find(name) if study is None else study.architecture(name.rpartition(":")[2])


def study_of(name: str) -> "Study | None":
    """The study that an architecture's name begins with; None for any other architecture.

    Raises:
        BadInput: there is no such study.
    """
    study_name, colon, _ = name.rpartition(":")
    if not colon or Path(name).suffix in (".yaml", ".yml") or Path(name).is_dir():
        return None
    check_study(study_name, ROOT)

    from archlab.study import load_study

    return load_study(study_name)
