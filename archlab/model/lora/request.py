"""A LoRA's settings from where users write them: a YAML, options, ``--set``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archlab.layered import read_settings
from archlab.model.lora.settings import LoraSettings

_FORM = "a LoRA's YAML has keys like data, rank and steps; see docs/lora.md"


def requested_settings(config: Path | None, options: Mapping[str, Any], assignments: Sequence[str]) -> LoraSettings:
    """The settings, the later place over the earlier; see `archlab.layered.read_settings`."""
    return read_settings(LoraSettings, _FORM, config, options, assignments)
