"""Time something in short bursts, beside a computation of known length, until enough runs were undisturbed.

Other programs only ever add to a time, and mostly for less than a second. Whether a run counts is judged by what it
shows itself, that it got the processors it could use, and by what surrounds its burst: the reference computation just
before and after, and the fastest of the other bursts. It goes on until what counts is enough, or patience ends.

Imports nothing of archlab, and of others numpy alone: a process that times something should hold little else.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, median
from typing import Literal, NamedTuple, Protocol

BURST_SECONDS = 0.05  # shorter than most of what disturbs, and long beside the reference
WAITING_SECONDS = 0.001  # at least, over which it is told how long runs waited: clocks take a microsecond
KEPT_RUNS = 20  # of those in that time: more say nothing new and take memory
LEAST_BURSTS = 3

WAITING = 0.1  # of the processors' time that a run could have used; undisturbed ones wait for 0.01
SLOW_REFERENCE = 1.15  # over its least; on an idle computer 1.02 to 1.08
SLOW_BURST = 1.10  # over the fastest one

Disturbance = Literal["it waited for a processor", "the processor was slow", "its runs differed"]


class Clock(Protocol):
    """What tells the time."""

    def seconds(self) -> float:
        """Of the wall."""
        ...

    def cpu_seconds(self) -> float:
        """Of all processors, as far as this process used them."""
        ...


class SystemClock:
    """This computer's."""

    def seconds(self) -> float:
        """See `Clock`."""
        return time.perf_counter()

    def cpu_seconds(self) -> float:
        """See `Clock`."""
        return time.process_time()


class Reference(NamedTuple):
    """How long the reference computation took, a few times in a row: the least, and what is typical."""

    least_ms: float
    typical_ms: float


class Run(NamedTuple):
    """One run: by the wall's clock, and all processors' time of this process; where it is very short a mean."""

    ms: float
    cpu_ms: float


class Burst(NamedTuple):
    """A few runs in a row, how long they took together, and the reference beside them."""

    runs: tuple[Run, ...]
    seconds: float
    before: Reference
    after: Reference

    @property
    def median_ms(self) -> float:
        """Half of its runs took at most this long."""
        return median(run.ms for run in self.runs)

    def with_only(self, runs: Sequence[Run]) -> "Burst":
        """Without the others and their share of the time."""
        return self._replace(runs=tuple(runs), seconds=self.seconds * len(runs) / len(self.runs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """When there are enough runs.

    Attributes:
        min_runs, min_seconds: what undisturbed bursts must have together.
        quiet_timeout_s: how long bursts are repeated after all of them, disturbed or not, have that.
        reference_ms: the least that the reference lately took on this computer; None where that is not known.
        threads: of this computer, on which it runs; 0 where it runs on something else.
    """

    min_runs: int
    min_seconds: float
    quiet_timeout_s: float
    reference_ms: float | None = None
    threads: int = 1

    def enough(self, bursts: Sequence[Burst]) -> bool:
        """Whether these make up what is wanted."""
        return (
            sum(len(burst.runs) for burst in bursts) >= self.min_runs
            and self.missing_seconds(bursts) <= 0
            and len(bursts) >= min(LEAST_BURSTS, self.min_runs)
        )

    def missing_seconds(self, bursts: Sequence[Burst]) -> float:
        """Of `min_seconds`."""
        return self.min_seconds - sum(burst.seconds for burst in bursts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What counts.

    Attributes:
        bursts: the runs that count, in milliseconds, by burst and in order.
        left_out: how many do not.
        noise: why those that count cannot be trusted; None where they can.
        reference_ms: the least that the reference took.
        steady: whether they could be trusted if nothing had been known of the reference before.
    """

    bursts: tuple[tuple[float, ...], ...]
    left_out: int
    noise: str | None
    reference_ms: float
    steady: bool


def time_until_quiet(
    run: Callable[[], float], reference: Callable[[], Reference], wanted: Wanted, clock: Clock | None = None
) -> Timing:
    """Repeat bursts of a run, the reference between them, until enough runs were undisturbed or patience ends.

    When patience ends it is noisy, and its times are those of the fastest bursts without what they waited for.

    Args:
        run: runs it once and gives milliseconds.
        reference: see `reference_computation`.
    """
    clock = clock or SystemClock()
    bursts: list[Burst] = []
    before = reference()
    due, patience_ends = 0.0, math.inf
    while True:
        bursts.append(_burst(run, reference, before, clock))
        before = bursts[-1].after
        now = clock.seconds()
        if now >= due:
            quiet = undisturbed(bursts, wanted)
            if wanted.enough(quiet):
                return _timing(bursts, quiet, None, wanted)
            due = now + wanted.missing_seconds(quiet)  # not before can there be enough
        if patience_ends == math.inf and wanted.enough(bursts):
            patience_ends = now + wanted.quiet_timeout_s
        if now >= patience_ends:
            return _timing(bursts, _fastest(bursts, wanted), _noise(bursts, wanted), wanted)


def undisturbed(bursts: Sequence[Burst], wanted: Wanted) -> list[Burst]:
    """The bursts that nothing speaks against, each without the runs that waited for a processor."""
    return [found for found in _judged(bursts, wanted) if isinstance(found, Burst)]


def reference_runs(threads: int) -> int:
    """How often the reference is run in a row: on several threads for longer than others have a processor at a time."""
    return 10 if threads < 2 else 30


def reference_computation(threads: int) -> Callable[[], Reference]:
    """A matrix product of a third of a millisecond, `reference_runs` times, on as many threads at once.

    By numpy's own loop, not by BLAS: that has threads of its own, and on some computers a unit that programs share.
    What is typical is the median on one thread, as waiting shows in the runs themselves; on several the slowest
    thread's mean with what it waited for, as how many processors a run could use is not known.
    """
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    matrix = np.random.default_rng(0).standard_normal((128, 128), dtype=np.float32)
    others = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def timed(_: int = 0) -> Reference:
        out, ends = np.empty_like(matrix), [time.perf_counter()]
        for _ in range(reference_runs(threads)):
            np.einsum("ij,jk->ik", matrix, matrix, out=out)
            ends.append(time.perf_counter())
        samples_ms = [1000 * (end - start) for start, end in pairwise(ends)]
        return Reference(min(samples_ms), median(samples_ms) if threads < 2 else fmean(samples_ms))

    def reference() -> Reference:
        elsewhere = others.map(timed, range(threads - 1)) if others else ()
        found = [timed(), *elsewhere]
        return Reference(min(each.least_ms for each in found), max(each.typical_ms for each in found))

    reference()  # threads start, caches fill
    return reference


def _burst(run: Callable[[], float], reference: Callable[[], Reference], before: Reference, clock: Clock) -> Burst:
    runs: list[Run] = []
    start = clock.seconds()
    while not runs or clock.seconds() - start < BURST_SECONDS:
        runs += _runs(run, clock)
    seconds = clock.seconds() - start
    return Burst(tuple(runs), seconds, before, reference())


def _runs(run: Callable[[], float], clock: Clock) -> list[Run]:
    """As many as take `WAITING_SECONDS`, mostly one; of very many some."""
    samples_ms: list[float] = []
    cpu_start, start = clock.cpu_seconds(), clock.seconds()
    while not samples_ms or clock.seconds() - start < WAITING_SECONDS:
        samples_ms.append(run())
    cpu_ms = 1000 * (clock.cpu_seconds() - cpu_start) / len(samples_ms)
    mean_ms = fmean(samples_ms)
    every = math.ceil(len(samples_ms) / KEPT_RUNS)
    return [Run(ms, cpu_ms * ms / mean_ms) for ms in samples_ms[::every]]


def _judged(bursts: Sequence[Burst], wanted: Wanted) -> list[Burst | Disturbance]:
    """Each burst's runs that count, or what speaks against it."""
    slow_ms = SLOW_REFERENCE * min(_least_reference_ms(bursts), wanted.reference_ms or math.inf)
    least_busy = (1 - WAITING) * _processors(bursts, wanted)
    found: list[Burst | Disturbance] = []
    for burst in bursts:
        kept = [run for run in burst.runs if _busy(run, wanted) >= least_busy]
        if max(burst.before.typical_ms, burst.after.typical_ms) > slow_ms:
            found.append("the processor was slow")
        else:
            found.append(burst.with_only(kept) if kept else "it waited for a processor")
    return list(_without_slow(found))


def _without_slow(found: Sequence[Burst | Disturbance]) -> Iterator[Burst | Disturbance]:
    medians_ms = [each.median_ms if isinstance(each, Burst) else math.inf for each in found]
    slow_ms = SLOW_BURST * min(medians_ms)
    for each, median_ms in zip(found, medians_ms, strict=True):
        yield "its runs differed" if isinstance(each, Burst) and median_ms > slow_ms else each


def _processors(bursts: Sequence[Burst], wanted: Wanted) -> float:
    """How many a run uses when it waits for none; one at least, 0 where it runs on something else."""
    if wanted.threads < 2:
        return wanted.threads
    return max(1.0, *(_busy(run, wanted) for burst in bursts for run in burst.runs))


def _busy(run: Run, wanted: Wanted) -> float:
    """Processors that it used on average; what lies between very short runs is no more than there are threads."""
    return min(run.cpu_ms / run.ms, wanted.threads)


def _least_reference_ms(bursts: Sequence[Burst]) -> float:
    return min(min(burst.before.least_ms, burst.after.least_ms) for burst in bursts)


def _fastest(bursts: Sequence[Burst], wanted: Wanted) -> list[Burst]:
    """As many as are wanted, in order, without the time that their runs waited for a processor."""
    if processors := _processors(bursts, wanted):
        bursts = [
            burst._replace(runs=tuple(run._replace(ms=min(run.ms, run.cpu_ms / processors)) for run in burst.runs))
            for burst in bursts
        ]
    by_speed = sorted(range(len(bursts)), key=lambda index: bursts[index].median_ms)
    for count in range(1, len(bursts)):
        if wanted.enough([bursts[index] for index in by_speed[:count]]):
            return [bursts[index] for index in sorted(by_speed[:count])]
    return list(bursts)


def _noise(bursts: Sequence[Burst], wanted: Wanted) -> str:
    against = [each for each in _judged(bursts, wanted) if not isinstance(each, Burst)]
    mostly = f": mostly {Counter(against).most_common(1)[0][0]}" if against else ""
    return f"{len(against)} of {len(bursts)} bursts of runs were disturbed{mostly}"


def _timing(bursts: Sequence[Burst], counting: Sequence[Burst], noise: str | None, wanted: Wanted) -> Timing:
    return Timing(
        bursts=tuple(tuple(run.ms for run in burst.runs) for burst in counting),
        left_out=sum(len(burst.runs) for burst in bursts) - sum(len(burst.runs) for burst in counting),
        noise=noise,
        reference_ms=_least_reference_ms(bursts),
        steady=wanted.enough(undisturbed(bursts, replace(wanted, reference_ms=None))),
    )
