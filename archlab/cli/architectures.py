"""ARCH on the command line: a preset, an architecture YAML, a diffusers folder, or study:trial."""

from pathlib import Path

from archlab.architecture import UNetSpec, find, load

_MOST_DIGITS = 10


def find_architecture(name: str) -> UNetSpec:
    """The architecture a user names: a preset, an architecture YAML, the folder of a diffusers UNet or pipeline, or
    ``study:trial`` (a number or a pick).

    Raises:
        BadInput: there is none.
    """
    study_name, colon, word = name.rpartition(":")
    if not colon or Path(name).suffix in (".yaml", ".yml") or Path(name).is_dir():
        return find(name)
    from archlab.study import load_study

    study = load_study(study_name)
    number = int(word) if word.isdecimal() and len(word) < _MOST_DIGITS else study.pick(word).trial
    study.record(number)
    return load(study.files.trial(number) / "architecture.yaml")
