"""The rules by which runs count, on a simulated computer: no time passes."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import pytest

from archlab.bursts import Clock, Reference, Timing, Wanted, reference_computation, reference_runs, time_until_quiet

STEP = 1e-4  # seconds, in which the simulated computer works
KERNEL_MS = 0.3
WANTED = Wanted(min_runs=20, min_seconds=1.0, quiet_timeout_s=10.0)

Load = Callable[[int, float], bool]


class Computer:
    """Works on as many threads at once, each on a core of its own.

    Args:
        taken: whether others have a core at a time.
        speed: of the cores at a time.
    """

    def __init__(
        self, threads: int = 1, taken: Load = lambda core, t: False, speed: Callable[[float], float] = lambda t: 1.0
    ) -> None:
        self.now = self.cpu = 0.0
        self._threads, self._taken, self._speed = threads, taken, speed

    def seconds(self) -> float:
        """Whoever looks at a clock must have a core."""
        while self._taken(0, self.now):
            self.now += STEP
        return self.now

    def cpu_seconds(self) -> float:
        self.seconds()
        return self.cpu

    def work(self, ms: float) -> float:
        """As much on every thread; gives the milliseconds until the last is done."""
        start, left = self.seconds(), dict.fromkeys(range(self._threads), ms / 1000)
        while left:
            for core in [core for core in left if not self._taken(core, self.now)]:
                left[core] -= STEP * self._speed(self.now)
                self.cpu += STEP
                if left[core] <= STEP / 2:
                    del left[core]
            self.now += STEP
        return (self.now - start) * 1000

    def reference(self) -> Reference:
        start = self.seconds()
        samples_ms = [self.work(KERNEL_MS) for _ in range(reference_runs(self._threads))]
        mean_ms = 1000 * (self.seconds() - start) / len(samples_ms)
        typical_ms = median(samples_ms) if self._threads == 1 else mean_ms
        return Reference(min(samples_ms), typical_ms)

    def time(self, ms: float, wanted: Wanted = WANTED) -> Timing:
        clock: Clock = self
        wanted = replace(wanted, threads=self._threads)
        return time_until_quiet(lambda: self.work(ms), self.reference, wanted, clock)


def typical(timing: Timing) -> float:
    return median(sample for burst in timing.bursts for sample in burst)


def slices(t: float) -> bool:
    """A core shared fairly with one other program."""
    return t % 0.006 < 0.003


def in_bursts(seed: int) -> Load:
    """Others come to each core for 0.1 to 2 s and stay away as long."""
    source, edges = random.Random(seed), [[0.0], [0.0]]
    for core in edges:
        while core[-1] < 60:
            core.append(core[-1] + source.uniform(0.1, 2.0))

    def taken(core: int, t: float) -> bool:
        return sum(edge <= t for edge in edges[core]) % 2 == 1 and slices(t)

    return taken


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("ms", [0.2, 5.0, 40.0])
def test_an_idle_computer_needs_hardly_longer_than_its_runs(ms: float, threads: int) -> None:
    computer = Computer(threads)
    timing = computer.time(ms)
    assert (timing.noise, timing.left_out, timing.steady) == (None, 0, True)
    assert typical(timing) == pytest.approx(ms)
    assert 1.0 < computer.now < 1.25
    assert all(sum(burst) < 51 + ms for burst in timing.bursts)


def test_a_long_run_is_a_burst_and_no_more_are_run_than_wanted() -> None:
    timing = Computer().time(300.0, Wanted(min_runs=4, min_seconds=0.0, quiet_timeout_s=0.0))
    assert [len(burst) for burst in timing.bursts] == [1] * 4


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_what_comes_in_bursts_is_left_out(seed: int, threads: int) -> None:
    timing = Computer(threads, in_bursts(seed)).time(5.0)
    assert timing.noise is None
    assert timing.left_out > 0
    assert typical(timing) == pytest.approx(5.0, rel=0.02)


@pytest.mark.parametrize("threads", [1, 2])
def test_load_that_stays_is_noise_when_patience_ends(threads: int) -> None:
    computer = Computer(threads, lambda core, t: core == 0 and slices(t))
    timing = computer.time(5.0)
    assert timing.noise is not None
    assert not timing.steady
    assert 11 < computer.now < 12.5
    assert sum(map(len, timing.bursts)) >= 20
    assert typical(timing) == pytest.approx(5.0, rel=0.6 if threads == 2 else 0.05)  # without what it waited


def test_load_that_stays_leaves_short_runs_alone() -> None:
    timing = Computer(1, lambda core, t: slices(t)).time(0.5)
    assert timing.noise is None
    assert typical(timing) == pytest.approx(0.5, rel=0.01)


def test_slowness_from_the_start_is_told_by_what_was_known_before() -> None:
    slow = Computer(speed=lambda t: 0.7)
    assert slow.time(5.0).noise is None  # it could be the computer's own
    known = Computer(speed=lambda t: 0.7).time(5.0, replace(WANTED, reference_ms=KERNEL_MS))
    assert known.noise is not None
    assert known.noise.endswith("the processor was slow")
    assert known.steady  # eight such measurements, and it is the computer's own


def test_slowness_for_a_while_is_left_out() -> None:
    timing = Computer(speed=lambda t: 0.7 if 0.4 < t < 2 or t < 0.1 else 1.0).time(5.0)
    assert timing.noise is None
    assert typical(timing) == pytest.approx(5.0, rel=0.01)


def test_a_clock_that_drifts_slowly_disturbs_nothing() -> None:
    timing = Computer(speed=lambda t: 1 - 0.03 * t).time(5.0)
    assert (timing.noise, timing.left_out) == (None, 0)
    assert typical(timing) == pytest.approx(5.0, rel=0.03)


def test_what_slows_the_runs_alone_is_left_out() -> None:
    """Full memory buses, say: neither reference nor processor time show them."""
    computer = Computer()
    slow = lambda: 1.4 if computer.now % 1 < 0.3 else 1.0  # noqa: E731
    timing = time_until_quiet(lambda: computer.work(5.0 * slow()), computer.reference, WANTED, computer)
    assert timing.noise is None
    assert typical(timing) == pytest.approx(5.0, rel=0.01)


def test_runs_on_another_processor_are_not_asked_for_this_ones_time() -> None:
    computer = Computer()

    def on_a_gpu() -> float:
        computer.now += 0.005
        return 5.0

    timing = time_until_quiet(on_a_gpu, computer.reference, replace(WANTED, threads=0), computer)
    assert (timing.noise, timing.left_out) == (None, 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_reference_takes_time_on_this_computer(threads: int) -> None:
    measured = reference_computation(threads)()
    assert 0 < measured.least_ms <= measured.typical_ms
    start = time.process_time()
    reference_computation(threads)()
    assert time.process_time() - start > 0
