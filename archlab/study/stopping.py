"""When a study ends before it has all its trials."""

from collections.abc import Sequence

from archlab.analysis.hypervolume import covered
from archlab.study.settings import StopSettings

LEAST_GAIN = 0.001  # of the box that hypervolume is a share of; less is no gain


def reason_to_stop(stop: StopSettings, points: Sequence[Sequence[float] | None], hours: float) -> str | None:
    """Why a study ends now, as one line; None: it goes on.

    The last trials gained nothing where the hypervolume (see `archlab.analysis.hypervolume`) grew by less than
    `LEAST_GAIN` in them all together. Before the first trained trial there is nothing to gain on.

    Args:
        points: the objectives of every trial that counts, in order; None for one without scores.
        hours: what all runs of the study took together.
    """
    if stop.hours is not None and hours >= stop.hours:
        return f"search.stop.hours: the study has run for {hours:.3g} of {stop.hours:g} hours"
    if stop.no_gain is None:
        return None
    known = [point for point in points if point is not None]
    earlier = [point for point in points[: -stop.no_gain] if point is not None]
    if not earlier:
        return None
    gain = covered(known) - covered(earlier, among=known)
    if gain >= LEAST_GAIN:
        return None
    return (
        f"search.stop.no_gain: the last {stop.no_gain} trials added {gain:.2%} to the hypervolume, "
        f"less than {LEAST_GAIN:.1%}"
    )
