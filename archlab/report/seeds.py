"""What another seed changes, beside what networks differ by, in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from archlab.analysis.compare import Comparison
from archlab.report.labels import heading
from archlab.report.table import text


def seeds_in_words(comparison: Comparison) -> list[str]:
    """How networks of several studies are told, by how much a seed changes quality, and what that says of the best of
    each study; a sentence or two each."""
    return [*_shared(comparison), _spread(comparison), *_bests(comparison)]


def _shared(comparison: Comparison) -> Iterator[str]:
    networks = comparison.trials[comparison.trials["also"].notna()].drop_duplicates("network")
    if count := len(networks):
        several = int((networks["seeds"] > 1).sum())
        yield (
            f"{_counted(count, 'network was', 'networks were')} trained more than once, and each is one point: "
            f"{several} with different seeds, by the mean over them."
        )


def _spread(comparison: Comparison) -> str:
    name, spread = heading("quality", comparison.first), comparison.spread
    if spread is None:
        return (
            f"How much a seed changes {name} is not known, as no network was trained with two: small differences may "
            "be none. proxy.seeds: 3, or the same space with another search.seed, tells it."
        )
    return (
        f"Another seed changes {name} by {spread.std:.2g} (standard deviation, of "
        f"{_counted(spread.networks, 'network', 'networks')} with {spread.trainings} trainings): two networks, each "
        f"trained once, differ where they are {spread.margin(1, 1):.2g} apart or more."
    )


def _bests(comparison: Comparison) -> Iterator[str]:
    """Of each study but the one that has it, its best beside the best of all."""
    rows = comparison.trials.sort_values(["quality", "study"], kind="stable")
    best = dict(rows.iloc[0])
    for name in comparison.studies:
        own = rows[rows["study"] == name]
        if len(own) and name != best["study"]:
            yield _beside(comparison, name, dict(own.iloc[0]), best)


def _beside(comparison: Comparison, name: str, own: Mapping[Any, Any], best: Mapping[Any, Any]) -> str:
    if own["network"] == best["network"]:
        return f"The best of {name} and of {best['study']} is one network: trial {own['trial']} and {best['trial']}."
    apart = f"{text(own['quality'])} is {own['quality'] - best['quality']:.2g} behind trial {best['trial']} of"
    said = f"The best of {name}, trial {own['trial']}: {apart} {best['study']}"
    margin, is_within = comparison.margin(own, best), comparison.is_within_seeds(own, best)
    if margin is None:
        return f"{said}."
    return f"{said}, {'within' if is_within else 'more than'} the {margin:.2g} that seeds may make."


def _counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
