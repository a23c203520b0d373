"""One network trained with several seeds, in one study or in several: its mean score, and what a seed changes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev, variance
from typing import NamedTuple

from archlab.analysis.effects.intervals import t_difference
from archlab.analysis.table import StudyTable
from archlab.evaluation import ProxyResult, SeedResult

_LEVEL = 0.95


class Network(NamedTuple):
    """What trials have in common that differ by their seeds alone, if their studies' numbers can be compared.

    Attributes:
        architecture: content hash of the spec.
        parent: content hash of the baseline's proxy whose weights or outputs it is given; None where it is given none.
    """

    architecture: str
    parent: str | None = None


class SeedSpread(NamedTuple):
    """What another seed changes of a network's quality.

    Attributes:
        std: sample standard deviation between the seeds of one network, pooled over the networks that have several.
        networks, trainings: how many those are.
    """

    std: float
    networks: int
    trainings: int

    def margin(self, ours: int, theirs: int) -> float:
        """How far the mean qualities of two networks, of so many seeds each, may be apart by chance: half of the 95 %
        interval of their difference (Student's t, equal variances)."""
        error = self.std * math.sqrt(1 / ours + 1 / theirs)
        return t_difference(0.0, error, self.trainings - self.networks).interval(_LEVEL).high


Trainings = Mapping[Network, Mapping[int, SeedResult]]  # to the last rung, by seed


def network_of(architecture: str, proxy: ProxyResult) -> Network:
    """Which network a training was of."""
    return Network(architecture, proxy.provenance.get("baseline"))


def trainings(studies: Sequence[StudyTable]) -> Trainings:
    """All trainings to the last rung, baselines' too; one that several studies have, with the same seed, counts once.

    Args:
        studies: those whose numbers can be compared.
    """
    found: dict[Network, dict[int, SeedResult]] = {}
    for network, proxy in (each for study in studies for each in _trained(study)):
        for run in proxy.by_seed:
            if run.rungs:
                found.setdefault(network, {}).setdefault(run.seed, run)
    return found


def seed_spread(known: Trainings) -> SeedSpread | None:
    """What a seed changes; None where no network was trained with two."""
    several = [[_quality(run) for run in runs.values()] for runs in known.values() if len(runs) > 1]
    if not several:
        return None
    freedom = sum(len(qualities) - 1 for qualities in several)
    squares = sum((len(qualities) - 1) * variance(qualities) for qualities in several)
    return SeedSpread(math.sqrt(squares / freedom), len(several), sum(map(len, several)))


def over_seeds(runs: Mapping[int, SeedResult], columns: Sequence[str]) -> dict[str, float]:
    """Of the scores among the columns the means over a network's seeds; ``seeds`` is how many, and ``quality_std``,
    of two or more, their sample standard deviation. Nothing of no seed."""
    if not runs:
        return {}
    qualities = [_quality(run) for run in runs.values()]
    cells: dict[str, float] = {"seeds": len(runs), "quality": fmean(qualities)}
    if len(runs) > 1:
        cells["quality_std"] = stdev(qualities)
    for column in columns:
        values = [score.value for run in runs.values() if (score := run.scores.get(max(run.rungs), {}).get(column))]
        if len(values) == len(runs):
            cells[column] = fmean(values)
    return cells


def _trained(study: StudyTable) -> Iterator[tuple[Network, ProxyResult]]:
    results = [(record.architecture, record.evaluation.proxy) for record in study.records]
    for architecture, proxy in [*results, (study.baseline_spec.id, study.baseline_proxy)]:
        if architecture and proxy is not None and proxy.stopped_at is None:
            yield network_of(architecture, proxy), proxy


def _quality(run: SeedResult) -> float:
    """At the last rung."""
    return run.rungs[max(run.rungs)]
