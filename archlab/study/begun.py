"""Trials as a surrogate sees them."""

from collections.abc import Sequence

from archlab.evaluation import Evaluation, Record
from archlab.space import SearchSpace
from archlab.study.compatibility import fitting_values
from archlab.study.surrogate import Begun


def begun_of(record: Record, space: SearchSpace, rungs: Sequence[int]) -> Begun | None:
    """A finished trial; None for a repeat, a refused combination, what failed before anything was measured, and what
    the space has no place for."""
    known, values = record.evaluation, fitting_values(space, record) if record.is_distinct else None
    if values is None or (known.proxy is None and not known.latency):
        return None
    return Begun(
        trial=record.trial,
        values=values,
        known=known,
        qualities=qualities_of(known, rungs),
        seconds=record.seconds,
    )


def qualities_of(known: Evaluation | None, rungs: Sequence[int]) -> dict[int, float]:
    """At the study's rungs: it may have had others before."""
    proxy = None if known is None else known.proxy
    return {} if proxy is None else {rung: proxy.rungs[rung] for rung in rungs if rung in proxy.rungs}
