"""How long a study will take on this computer, from one of its trials, timed for a few seconds."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput, RunFailed
from archlab.latency.devices.registry import kind_of
from archlab.latency.measurement import Measurement
from archlab.progress import Deadline, OutOfTime, Progress, silent
from archlab.space import Survey, middling
from archlab.study.definition import StudyDefinition

if TYPE_CHECKING:
    from archlab.proxy.timing import ProxyTiming

TIMED_SECONDS = 10.0  # at most, but for a single training step
_SHARE_FOR_MEASURING = 0.4
_IMPATIENT = {"quiet_timeout_s": 0}  # how long others keep a device busy is not the study's


@dataclass(frozen=True, kw_only=True)
class Duration:
    """What a study takes with one worker, if every trial is trained.

    A search that pauses or stops trainings at rungs spends something between the two bounds: every trial comes to the
    first rung, and none further than the last.

    Attributes:
        hours: if every trial is trained to the last rung; no more than ``search.stop.hours``, as the other.
        hours_at_least: if none is trained beyond the first; the same where none is ever paused or stopped.
        trials: how many there are, the baseline of a search not counted.
        proxy: seconds of the training of one trial, of the architecture whose MACs are nearest to the mean.
        measure_seconds: of converting that and measuring its latency.
        not_timed: devices whose measuring is in no number here.
    """

    hours: float
    hours_at_least: float
    trials: int
    proxy: "ProxyTiming"
    measure_seconds: float
    not_timed: Sequence[str]


def estimated_duration(definition: StudyDefinition, survey: Survey, progress: Progress = silent) -> Duration:
    """Time a middling trial of the study, by its own training, scoring, conversion and measurement.

    Args:
        survey: of the space.
        progress: hears of what is timed.

    Raises:
        BadInput, RunFailed: it cannot be timed, in one line.
    """
    from archlab.proxy.timing import time_proxy

    settings, baseline = definition.settings, definition.space.baseline
    arms = [definition.space.spec(arm.values) for arm in definition.plan().arms]
    spec = middling([(arm, count(arm)) for arm in arms]) if arms else survey.middling
    deadline, measuring = Deadline(TIMED_SECONDS, progress), Deadline(_SHARE_FOR_MEASURING * TIMED_SECONDS, progress)
    measured = {where.name: _measure_seconds(spec, where, measuring) for where in settings.measure}
    try:
        proxy = time_proxy(spec, baseline, settings.proxy, deadline)
    except OutOfTime:
        raise RunFailed(
            f"the data takes more than {TIMED_SECONDS:.0f} s to read; what a study has read is kept in the cache, and "
            "then there is time"
        ) from None
    known = sum(seconds for seconds in measured.values() if seconds is not None)
    rungs, seeds, trials = settings.proxy.rungs, settings.proxy.seeds, len(arms) or settings.search.trials
    scored = (len(rungs) - 1) * proxy.rung_seconds + proxy.end_seconds
    whole = known + seeds * (rungs[-1] * proxy.step_seconds + scored)
    first = known + seeds * (rungs[0] * proxy.step_seconds + proxy.rung_seconds)
    most = settings.search.stop.hours or math.inf
    own = 0.0 if arms else whole * count(baseline).macs / count(spec).macs
    return Duration(
        hours=min(most, (trials * whole + own) / 3600),
        hours_at_least=min(most, (trials * (whole if arms or len(rungs) == 1 else first) + own) / 3600),
        trials=trials,
        proxy=proxy,
        measure_seconds=known,
        not_timed=[name for name, seconds in measured.items() if seconds is None],
    )


def _measure_seconds(spec: UNetSpec, where: Measurement, deadline: Deadline) -> float | None:
    """Of one conversion and measurement; None where that needs another machine, fails, or takes too long."""
    from archlab.latency import measure

    if where.table is not None:
        return 0.0
    if not kind_of(where.device).is_this_computer:
        return None
    started = time.perf_counter()
    try:
        measure(spec, **(where.how() | _IMPATIENT), use_cache=False, progress=deadline.progress)
    except (OutOfTime, BadInput, RunFailed):
        return None
    return time.perf_counter() - started
