"""What one change does to quality and costs, and what can be said of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, log10, nan

import pandas as pd

from archlab.analysis.effects.intervals import NO_INTERVAL, Difference, Interval

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A change's effect: after minus before. Lower quality is better.

    Attributes:
        change: what is changed, in words.
        against: what it is compared with.
        knob, value, baseline: the changed knob, its value and the baseline's; empty for what is not about one knob.
        how: where the interval comes from, such as ``paired t, 5 seeds``.
        n: how many differences or trials are behind it.
        quality: None where it cannot be told, and ``missing`` says why.
        costs: changes of the table's cost columns; None where not measured.
        aliases: effects that this plan cannot tell from this one.
    """

    change: str
    against: str
    how: str = ""
    n: int = 0
    knob: str = ""
    value: str = ""
    baseline: str = ""
    quality: Difference | None = None
    missing: str = ""
    costs: Mapping[str, float | None] = field(default_factory=dict)
    aliases: Sequence[str] = ()


def effects_table(effects: Iterable[Effect], level: float = LEVEL) -> pd.DataFrame:
    """One row an effect.

    Columns: change, against, knob, value, baseline, ``<cost>_change``, quality_change, low, high (each interval at
    ``level``), low_together, high_together (all intervals of the table at ``level`` at once: Bonferroni's, which holds
    although the arms share a baseline), how, n, aliases, verdict.
    """
    listed = list(effects)
    intervals = sum(effect.quality is not None and effect.quality.interval(level).is_known for effect in listed)
    return pd.DataFrame([_row(effect, level, intervals) for effect in listed], columns=_columns(listed))


def _row(effect: Effect, level: float, intervals: int) -> dict[str, object]:
    alone = effect.quality.interval(level) if effect.quality else NO_INTERVAL
    together = effect.quality.interval(1 - (1 - level) / max(intervals, 1)) if effect.quality else NO_INTERVAL
    return {
        "change": effect.change,
        "against": effect.against,
        "knob": effect.knob,
        "value": effect.value,
        "baseline": effect.baseline,
        **{f"{name}_change": nan if change is None else change for name, change in effect.costs.items()},
        "quality_change": effect.quality.value if effect.quality else nan,
        "low": alone.low,
        "high": alone.high,
        "low_together": together.low,
        "high_together": together.high,
        "how": effect.how,
        "n": effect.n,
        "aliases": ", ".join(effect.aliases),
        "verdict": _verdict(effect, alone, together, level, intervals),
    }


def _columns(effects: Sequence[Effect]) -> list[str]:
    costs = dict.fromkeys(f"{name}_change" for effect in effects for name in effect.costs)
    quality = ["quality_change", "low", "high", "low_together", "high_together"]
    return ["change", "against", "knob", "value", "baseline", *costs, *quality, "how", "n", "aliases", "verdict"]


def _verdict(effect: Effect, alone: Interval, together: Interval, level: float, intervals: int) -> str:
    if effect.quality is None:
        return effect.missing
    if not alone.is_known:
        return f"{_size(effect.quality.value)} {_direction(effect.quality.value)} in {effect.how}: {effect.missing}"
    said = sentence(effect.quality.value, alone, f"{level * 100:.4g} %, {effect.how}")
    if _excludes_zero(alone) and not _excludes_zero(together):
        return f"{said}; among {intervals} comparisons this may be chance"
    return said


def sentence(value: float, interval: Interval, how: str) -> str:
    """``better by 0.012 ± 0.004 (95 %, paired t, 5 seeds)`` or ``no effect seen at ± 0.006 (…)``: the interval is
    within that. One that is not even about the value is given by its ends."""
    half = (interval.high - interval.low) / 2
    digits = _digits(half or abs(value))
    if not _excludes_zero(interval):
        return f"no effect seen at ± {max(map(abs, interval)):.{digits}f} ({how})"
    even = abs(interval.low + interval.high - 2 * value) < 0.1 * half
    if even or not half:
        return f"{_direction(value)} by {abs(value):.{digits}f} ± {half:.{digits}f} ({how})"
    least, most = sorted(abs(end) for end in interval)
    return f"{_direction(value)} by {abs(value):.{digits}f}, {least:.{digits}f} to {most:.{digits}f} ({how})"


def _excludes_zero(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0


def _direction(value: float) -> str:
    return "better" if value < 0 else "worse"


def _size(value: float) -> str:
    return f"{abs(value):.{_digits(abs(value))}f}"


def _digits(scale: float) -> int:
    """Decimals that show two significant digits of ``scale``; at most six."""
    return min(max(0, 1 - floor(log10(scale))), 6) if scale > 0 else 3
