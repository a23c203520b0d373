"""The sections of a YAML that make a search space."""

from typing import Any

from pydantic import model_serializer, model_validator

from archlab.errors import shown
from archlab.section import Amount, Count, Section


class Context(Section):
    """What the text encoder gives: ``length`` tokens of width ``dim``."""

    length: Count
    dim: Count


class Target(Section):
    """The network as it would be deployed; what is absent is the baseline's."""

    sample_size: Count | None = None
    context: Context | None = None


class BaselineSettings(Section):
    """The baseline: a preset or a path, and one factor on its channels. A word is a preset or a path at full width."""

    preset: str
    width: Amount = 1.0

    @model_validator(mode="before")
    @classmethod
    def _may_be_a_word(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"preset": value}
        if not isinstance(value, dict | cls):
            raise ValueError(f"takes a preset, a path, or {{preset, width}}, not {shown(value)}")
        return value

    @model_serializer
    def _as_written(self) -> str | dict[str, Any]:
        return self.preset if self.width == 1 else {"preset": self.preset, "width": self.width}

    def __str__(self) -> str:
        return self.preset if self.width == 1 else f"{self.preset} × {self.width:g}"


class SpaceSettings(Section):
    """A baseline, knobs and requirements on them; ``knobs`` are read apart, against the baseline."""

    baseline: BaselineSettings
    knobs: dict[str, Any]
    require: tuple[str, ...] = ()
    target: Target = Target()
