"""ARCH on the command line: a preset, an architecture YAML, a diffusers folder, or study:trial."""

from pathlib import Path

from archlab.architecture import UNetSpec, find
from archlab.studies import ROOT, check_study


def find_architecture(name: str) -> UNetSpec:
    """The architecture a user names: a preset, an architecture YAML, the folder of a diffusers UNet or pipeline, or
    ``study:trial`` (a number or a pick).

    Raises:
        BadInput: there is none.
    """
    study_name, colon, word = name.rpartition(":")
    if not colon or Path(name).suffix in (".yaml", ".yml") or Path(name).is_dir():
        return find(name)
    check_study(study_name, ROOT)

    from archlab.study import load_study

    return load_study(study_name).architecture(word)
