"""Where a control's settings are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archlab.layered import read_settings
from archlab.model.controls.settings import ControlSettings

_FORM = "the YAML of a control's training has keys like kind and condition; see docs/control.md"


def requested_settings(config: Path | None, options: Mapping[str, Any], assignments: Sequence[str]) -> ControlSettings:
    """The settings; see `archlab.layered.read_settings`."""
    return read_settings(ControlSettings, _FORM, config, options, assignments)
