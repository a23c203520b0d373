"""Where a distillation's settings are written, and where its models go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archlab.layered import read_settings
from archlab.model.distill.settings import DistillSettings
from archlab.model.load import ROOT

_FORM = "a distillation's YAML has keys like method and updates; see docs/distill.md"


def requested_settings(config: Path | None, options: Mapping[str, Any], assignments: Sequence[str]) -> DistillSettings:
    """The settings; see `archlab.layered.read_settings`."""
    return read_settings(DistillSettings, _FORM, config, options, assignments)


def place_of(model: str, steps: int) -> Path:
    """``models/knee-8`` of ``models/knee``, and ``models/knee-4`` of that."""
    name = Path(model).name
    stem, dash, number = name.rpartition("-")
    named = stem if dash and number.isdecimal() else name.replace(":", "-")
    return ROOT / f"{named}-{steps}"
