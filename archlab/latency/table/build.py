"""Measure what a table lacks, beside a reference, so that drift of the clock cancels."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.errors import BadInput
from archlab.evaluation.latency import Latency
from archlab.latency.devices.registry import kind_of, runner
from archlab.latency.measure import measure_group
from archlab.latency.network import Network, unet_network
from archlab.latency.runner import GroupRunner, completed
from archlab.latency.settings import read_settings
from archlab.latency.table.networks import idle_network, piece_network
from archlab.latency.table.pieces import pieces
from archlab.latency.table.space_pieces import pieces_of_space
from archlab.latency.table.table import Burst, Circumstances, Role, Table, Timing, load_table, save_table
from archlab.space import SearchSpace

PIECE_ROUNDS, WHOLE_ROUNDS = 3, 3
JUDGED_PIECE_ROUNDS = 2  # where every burst goes on until it was undisturbed
PIECE_RUNS, WHOLE_RUNS = 10, 4  # at least, of one burst; a whole network at full size takes seconds a run
PIECE_SECONDS, WHOLE_SECONDS = 0.1, 0.5  # likewise
_TOGETHER = 4  # bursts between two of the reference
_IN_A_PROCESS = 4  # times as many are timed in one process, where the device does that
_REFERENCES = 8  # bursts of which the fastest tells the clock: a few are undisturbed
_DRAWN_PER_STRATUM = 20


class Step(NamedTuple):
    """How far a build is: the network just measured, bursts that are done and wanted, time left."""

    name: str
    done: int
    bursts: int
    seconds_left: float


class Built(NamedTuple):
    """A table, its file, and whether it is proven to have every piece of the space."""

    table: Table
    path: Path
    proven: bool


def build_table(
    space: SearchSpace,
    device: str = "tflite",
    path: Path | None = None,
    *,
    width: float = 1.0,
    sample_size: int | None = None,
    fitted: int = 24,
    checked: int = 20,
    progress: Callable[[Step], None] = lambda step: None,
    **settings: Any,
) -> Built:
    """Measure the pieces of a space and some whole networks, or go on where a build was stopped.

    What the table has is not measured again; the file is written after every few bursts. Each piece has `PIECE_ROUNDS`
    (`JUDGED_PIECE_ROUNDS`) bursts and each whole network `WHOLE_ROUNDS`, in rounds over all of them.

    Args:
        path: of the table; None for a place of its own for device, settings and versions.
        width, sample_size: of the architectures, see `UNetSpec.scaled`.
        fitted, checked: how many whole networks to fit the corrections on, and to hold out.
        settings: `archlab.latency.measure`'s, but for the number of runs.

    Raises:
        BadInput: the file is damaged or of another device, settings or versions; and what `measure` raises.
        RunFailed: see `measure`; what was measured is kept.
    """
    chosen = runner(device)
    complete = completed(read_settings(settings), chosen)
    circumstances = Circumstances.of(chosen.name, complete, chosen.versions(complete))
    path = circumstances.default_path if path is None else path
    reachable = pieces_of_space(space, width, sample_size)
    table = _start(path, circumstances, space.baseline.scaled(width=width, sample_size=sample_size))
    for piece in reachable.pieces:
        table.pieces.setdefault(piece, Timing())
    for role, spec in _whole_networks(space, fitted, checked, width, sample_size):
        table.whole[role].setdefault(spec, Timing())
    _Build(table, path, device, settings, progress).run()
    return Built(table, path, reachable.proven)


def _start(path: Path, circumstances: Circumstances, baseline: UNetSpec) -> Table:
    if not path.exists():
        reference = next(piece for piece in pieces(baseline) if piece.kind == "residual")
        return Table(circumstances=circumstances, reference=reference)
    table = load_table(path)
    theirs, ours = table.circumstances.flat, circumstances.flat
    for name in {**ours, **theirs}:
        if theirs.get(name) != ours.get(name):
            raise BadInput(f"{path}: is a table of {name} {theirs.get(name)}, not {ours.get(name)}; take another file")
    return table


def _whole_networks(
    space: SearchSpace, fitted: int, checked: int, width: float, sample_size: int | None
) -> Iterator[tuple[Role, UNetSpec]]:
    """Networks to fit on, one from each of as many slices (by MACs) of a random sample; then networks to check."""
    source = random.Random(0)

    def draw(number: int) -> list[UNetSpec]:
        drawn = (space.spec(space.sample_values(source)) for _ in range(number))
        return list({spec.deployed.id: spec.scaled(width=width, sample_size=sample_size) for spec in drawn}.values())

    drawn = sorted(draw(_DRAWN_PER_STRATUM * max(fitted, 1)), key=lambda spec: count(spec).macs)
    edges = [len(drawn) * index // max(fitted, 1) for index in range(fitted + 1)]
    strata = [drawn[low:high] for low, high in pairwise(edges) if low < high]
    to_fit = {source.choice(stratum) for stratum in strata}
    yield from (("fit", spec) for spec in drawn if spec in to_fit)
    others = [spec for spec in draw(_DRAWN_PER_STRATUM * checked) if spec not in to_fit]
    yield from (("check", spec) for spec in others[:checked])


@dataclass
class _Subject:
    """Something that the table has a timing of."""

    network: Network
    timing: Timing
    rounds: int
    burst_runs: int
    burst_seconds: float


@dataclass
class _Build:
    """One run of a build."""

    table: Table
    path: Path
    device: str
    settings: dict[str, Any]
    progress: Callable[[Step], None]
    spent: dict[tuple[float, bool], list[float]] = field(default_factory=dict)
    references_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_REFERENCES))

    def run(self) -> None:
        """Round by round, in an order of its own each, a few at a time between two bursts of the reference."""
        subjects = list(self._subjects())
        reference = piece_network(self.table.reference, self._channels_last)
        for number in range(WHOLE_ROUNDS):
            lacking = [subject for subject in subjects if len(subject.timing.bursts) <= number < subject.rounds]
            for group in self._groups(lacking, random.Random(number)):
                self._group(group, reference)
                self._report(subjects, group[-1])

    def _groups(self, subjects: Sequence[_Subject], order: random.Random) -> list[list[_Subject]]:
        """Subjects whose bursts are as long, as many as are timed in one process; all in a random order."""
        size = _TOGETHER * (_IN_A_PROCESS if self._in_groups else 1)
        groups: list[list[_Subject]] = []
        for seconds in sorted({subject.burst_seconds for subject in subjects}):
            alike = [subject for subject in subjects if subject.burst_seconds == seconds]
            order.shuffle(alike)
            groups += [alike[start : start + size] for start in range(0, len(alike), size)]
        order.shuffle(groups)
        return groups

    @property
    def _in_groups(self) -> bool:
        """Whether this is a computer's runtime: several networks to a process, each timed until it is quiet."""
        return isinstance(runner(self.device), GroupRunner)

    @property
    def _channels_last(self) -> bool:
        return kind_of(self.device).channels_last

    def _subjects(self) -> Iterator[_Subject]:
        rounds = JUDGED_PIECE_ROUNDS if self._in_groups else PIECE_ROUNDS
        yield _Subject(idle_network(), self.table.idle, rounds, PIECE_RUNS, PIECE_SECONDS)
        for piece, timing in self.table.pieces.items():
            yield _Subject(piece_network(piece, self._channels_last), timing, rounds, PIECE_RUNS, PIECE_SECONDS)
        for timings in self.table.whole.values():
            for spec, timing in timings.items():
                yield _Subject(unet_network(spec), timing, WHOLE_ROUNDS, WHOLE_RUNS, WHOLE_SECONDS)

    def _group(self, group: Sequence[_Subject], reference: Network) -> None:
        """One burst of each, and one of the reference after every few."""
        turns: list[_Subject | None] = [None] * (_REFERENCES - len(self.references_ms))
        for start in range(0, len(group), _TOGETHER):
            turns += [*group[start : start + _TOGETHER], None]
        started = time.perf_counter()
        networks = [reference if subject is None else subject.network for subject in turns]
        latencies = self._bursts(networks, group[0].burst_runs, group[0].burst_seconds)
        seconds = (time.perf_counter() - started) / len(turns)
        waiting: list[tuple[_Subject, Latency]] = []
        for subject, latency in zip(turns, latencies, strict=True):
            if subject is not None:
                waiting.append((subject, latency))
                continue
            self.references_ms.append(latency.median_ms)
            for measured, its in waiting:
                self._keep(measured, its, seconds)
            waiting = []
        self.table.seconds += time.perf_counter() - started
        self.table.measured_at = datetime.now(UTC).isoformat(timespec="seconds")
        save_table(self.table, self.path)

    def _keep(self, subject: _Subject, latency: Latency, seconds: float) -> None:
        timing = subject.timing
        self.spent.setdefault((subject.burst_seconds, not timing.bursts), []).append(seconds)
        if not timing.bursts:
            timing.model_mb, timing.seconds = latency.model_mb, seconds
        timing.bursts.append(Burst(latency.median_ms, min(self.references_ms)))

    def _bursts(self, networks: Sequence[Network], runs: int, seconds: float) -> list[Latency]:
        return measure_group(
            networks,
            self.device,
            min_runs=runs,
            min_seconds=seconds,
            quiet_timeout_s=seconds,  # another round is a better try
            **self.settings,
        )

    def _report(self, subjects: Sequence[_Subject], latest: _Subject) -> None:
        done = sum(min(len(subject.timing.bursts), subject.rounds) for subject in subjects)
        left = sum(
            self._expected_seconds(subject, first=number == 0)
            for subject in subjects
            for number in range(len(subject.timing.bursts), subject.rounds)
        )
        with_reference = left * (1 + 1 / _TOGETHER)
        self.progress(Step(latest.network.name, done, sum(subject.rounds for subject in subjects), with_reference))

    def _expected_seconds(self, subject: _Subject, first: bool) -> float:
        """The mean of the same kind of burst; of all, where there was none."""
        known = self.spent.get((subject.burst_seconds, first))
        return fmean(known or [seconds for spent in self.spent.values() for seconds in spent])
