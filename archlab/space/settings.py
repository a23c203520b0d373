"""The sections of a YAML that make a search space."""

from typing import Any

from archlab.section import Count, Section


class Context(Section):
    """What the text encoder gives: ``length`` tokens of width ``dim``."""

    length: Count
    dim: Count


class Target(Section):
    """The network as it would be deployed; what is absent is the baseline's."""

    sample_size: Count | None = None
    context: Context | None = None


class SpaceSettings(Section):
    """A baseline, knobs and requirements on them; ``knobs`` are read apart, against the baseline."""

    baseline: str
    knobs: dict[str, Any]
    require: tuple[str, ...] = ()
    target: Target = Target()
