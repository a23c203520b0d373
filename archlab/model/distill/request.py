"""A distillation's settings from where users write them: a YAML, options, ``--set``; and where its models go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archlab.document import Document, Place
from archlab.layered import Layer, Written, assignment, read_layers
from archlab.model.distill.settings import DistillSettings
from archlab.model.load import ROOT

_FORM = "a distillation's YAML has keys like method and updates; see docs/distill.md"


def requested_settings(config: Path | None, options: Mapping[str, Any], assignments: Sequence[str]) -> DistillSettings:
    """The settings, the later place over the earlier.

    Args:
        options: by key; None where an option was not given.
        assignments: ``key=value``.

    Raises:
        BadInput: one line that names the option, or file, line and column.
    """
    given = Written({key: value for key, value in options.items() if value is not None}, _option)
    layers: list[Layer] = [] if config is None else [Document(config, _FORM)]
    layers += [given, *(assignment(DistillSettings, each) for each in assignments)]
    return read_layers(DistillSettings, layers, given)


def place_of(model: str, steps: int) -> Path:
    """``models/knee-8`` of ``models/knee``, and ``models/knee-4`` of that."""
    name = Path(model).name
    stem, dash, number = name.rpartition("-")
    named = stem if dash and number.isdecimal() else name.replace(":", "-")
    return ROOT / f"{named}-{steps}"


def _option(place: Place) -> str:
    return f"--{str(place[-1]).replace('_', '-')}" if place else "options"
