"""How a network is scored: sections of a YAML."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from archlab.errors import nearest, shown
from archlab.evaluation.measures import QUALITIES
from archlab.section import Count, NamedOrPath, Section


def _is_quality(name: Any) -> Any:
    if name not in QUALITIES:
        raise ValueError(f"no {shown(name)}{nearest(str(name), QUALITIES)}")
    return name


Quality = Annotated[str, BeforeValidator(_is_quality)]


class ScoreSettings(Section):
    """What is scored. All of it decides scores."""

    quality: Quality = "val_loss"
    samples: Annotated[int, Field(ge=2)] = 256  # images that fid@N compares
    score_steps: tuple[Count, ...] = ()  # further numbers of sampling steps that the trained network is scored at
    score_rungs: bool = False  # by everything at every rung, not at the last alone; audits do


class JudgeSettings(Section):
    """The networks that score. Where they lie decides nothing: results are cached by their content."""

    extractor: Annotated[str, NamedOrPath(("reader",))] = "reader"  # of fid's features: trained on the data, or a path
    clip: Annotated[str | None, NamedOrPath()] = None  # a transformers folder with CLIP, for clip_score
