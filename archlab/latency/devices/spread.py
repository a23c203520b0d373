"""Whether the times of a device that tells nothing else speak for a disturbance by themselves."""

from collections.abc import Sequence
from itertools import accumulate

from archlab.bursts import BURST_SECONDS
from archlab.evaluation.latency import percentile

_WIDE = 0.1  # of the median; on an idle device less than 0.03


def cut_into_bursts(samples_ms: Sequence[float]) -> list[tuple[float, ...]]:
    """Runs that followed on each other, in pieces of `BURST_SECONDS`, with one run at least."""
    bursts: dict[int, list[float]] = {}
    for sample_ms, end_ms in zip(samples_ms, accumulate(samples_ms), strict=True):
        bursts.setdefault(int((end_ms - sample_ms) / (1000 * BURST_SECONDS)), []).append(sample_ms)
    return [tuple(burst) for burst in bursts.values()]


def wide_spread(medians_ms: Sequence[float], of: str) -> str | None:
    """Why the medians of what should take equally long cannot be trusted; None where they agree.

    Others' work comes and goes, and heat builds up: either way the middle half of them is wide.

    Args:
        of: what each is the median of, for the line: ``bursts``.
    """
    low_ms, middle_ms, high_ms = (percentile(medians_ms, percent) for percent in (25, 50, 75))
    if high_ms - low_ms <= _WIDE * middle_ms:
        return None
    return f"the medians of its {len(medians_ms)} {of} differ: the middle half has {low_ms:.3g} to {high_ms:.3g} ms"
