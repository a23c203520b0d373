"""Effects of the changes of a plan, arm against arm, paired by seed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archlab.analysis.effects.arms import ArmResults
from archlab.analysis.effects.effect import Effect
from archlab.analysis.effects.intervals import METHOD_NAMES, IntervalMethod, paired_difference
from archlab.space import Arm, SearchSpace, label
from archlab.space.plans import Contrast

ONE_SEED = "it cannot tell an effect from chance; raise proxy.seeds"


def paired_effect(space: SearchSpace, pair: Contrast, scores: ArmResults, method: IntervalMethod) -> Effect:
    """The effect of one change. Every seed has its own difference, so that what seeds have in common falls out."""
    before, after = scores.of[pair.before.name], scores.of[pair.after.name]
    known = Effect(
        change=pair.change,
        against=pair.before.name,
        **_changed(space, pair.before, pair.after),
        costs={name: _difference(before.costs, after.costs, name) for name in scores.costs},
    )
    for arm, found in ((pair.before, before), (pair.after, after)):
        if found.missing:
            return replace(known, missing=f"{arm.name}: {found.missing}")
    seeds = sorted(before.by_seed.keys() & after.by_seed.keys())
    if not seeds:
        return replace(known, missing="the two arms have no seed in common")
    several = len(seeds) > 1
    return replace(
        known,
        quality=paired_difference([after.by_seed[seed] - before.by_seed[seed] for seed in seeds], method),
        how=f"{METHOD_NAMES[method]}, {len(seeds)} seeds" if several else "one seed",
        missing="" if several else ONE_SEED,
        n=len(seeds),
    )


def _changed(space: SearchSpace, before: Arm, after: Arm) -> dict[str, Any]:
    """The knob in which two arms differ, with its values; nothing where there are several."""
    labels = [
        space.baseline_values | {name: label(value) for name, value in arm.values.items()} for arm in (before, after)
    ]
    names = [name for name in space.knobs if labels[0][name] != labels[1][name]]
    if len(names) != 1:
        return {}
    return {"knob": names[0], "value": str(labels[1][names[0]]), "baseline": str(labels[0][names[0]])}


def _difference(before: Mapping[str, float], after: Mapping[str, float], name: str) -> float | None:
    return after[name] - before[name] if name in before and name in after else None
