"""A training's settings from where users write them: a study, a YAML, options, ``--set``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archlab.document import Document, Place
from archlab.layered import Layer, Written, assignment, read_layers
from archlab.model.settings import ModelSettings
from archlab.proxy.settings import ProxySettings

_OF_A_STUDY = (  # what it trains its proxies with that is as right for the target
    *("data", "vae", "text", "objective", "schedule", "min_snr", "prompt_dropout"),
    *("guidance", "extractor", "clip", "device"),
)
_FORM = "a training's YAML has keys of a study's proxy, like data and batch_size, and steps; see docs/train.md"


def requested_settings(
    study: ProxySettings | None,
    config: Path | None,
    options: Mapping[str, Any],
    assignments: Sequence[str],
) -> ModelSettings:
    """The settings, the later place over the earlier.

    Args:
        study: of the study that the architecture comes from.
        options: by key; None where an option was not given.
        assignments: ``key=value``.

    Raises:
        BadInput: one line that names the option, or file, line and column.
    """
    layers, given = _layers(study, config, options, assignments)
    return read_layers(ModelSettings, layers, given)


def planned_settings(
    study: ProxySettings | None, config: Path | None, options: Mapping[str, Any], assignments: Sequence[str]
) -> tuple[ModelSettings, bool]:
    """Likewise, where there need be no data; and whether there are."""
    layers, given = _layers(study, config, options, assignments)
    has_data = any("data" in layer.data for layer in layers)
    assumed: list[Layer] = [] if has_data else [Written({"data": "digits"}, _in_words)]
    return read_layers(ModelSettings, [*assumed, *layers], given), has_data


def _layers(
    study: ProxySettings | None, config: Path | None, options: Mapping[str, Any], assignments: Sequence[str]
) -> tuple[list[Layer], Layer]:
    """All places, the later over the earlier; and the options, which name what is nowhere."""
    given = Written({key: value for key, value in options.items() if value is not None}, _option)
    layers: list[Layer] = [] if study is None else [Written(_of(study), lambda at: f"the study's {_in_words(at)}")]
    layers += [] if config is None else [Document(config, _FORM)]
    layers += [given, *(assignment(ModelSettings, each) for each in assignments)]
    if any(layer.data.get("teacher") for layer in layers):
        layers.insert(0, Written({"distill": {"output": 1.0}}, _in_words))
    return layers, given


def _of(study: ProxySettings) -> dict[str, Any]:
    values = study.model_dump(mode="json", include=set(_OF_A_STUDY))
    return {**values, "scale": {"sample_size": study.scale.sample_size}}


def _option(place: Place) -> str:
    return "--scale" if place and place[-1] == "width" else f"--{_in_words(place).replace('_', '-')}"


def _in_words(place: Place) -> str:
    return str(place[-1]) if place else "settings"
