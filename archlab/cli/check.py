"""``archlab check SPACE.yaml``"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from archlab.cli.options import format_option, set_option, trials_option
from archlab.studies import ROOT
from archlab.terminal.listing import print_facts, print_listing

if TYPE_CHECKING:
    from archlab.evaluation.record import Label
    from archlab.space.knobs import Value
    from archlab.study import StudyDefinition
    from archlab.study.settings import Share


@click.command()
@click.argument("space", type=click.Path())
@trials_option
@set_option
@click.option("--timing", is_flag=True, help="Estimate the hours of training on this computer, from a few steps.")
@format_option
def check(space: str, trials: int | None, assignments: tuple[str, ...], timing: bool, form: str) -> None:
    """Validate a search space, count it, say what each change alone costs, and whether its limits can be met."""
    from archlab.study.requested import requested_definition

    loaded = requested_definition(space, ROOT, trials, assignments)
    facts = _space_facts(loaded)
    if timing:
        from archlab.study.duration import training_hours

        facts["training_hours_estimated"] = training_hours(loaded, facts["macs_g_median"])
    plan, strategy = loaded.plan(), loaded.settings.strategy
    if plan.arms:
        facts |= {"plan": strategy, "arms": len(plan.arms)}
    if not plan.arms or strategy == "grid":
        _print_search(loaded, facts, form)
        return
    dropped = [arm._asdict() for arm in plan.dropped]
    title, arms = _arms(loaded)
    if form == "table":
        print_facts(facts, form)
        print_listing([_in_percent(arm) for arm in arms], form, title=title)
        for arm in dropped:
            click.echo(f"left out: {arm['name']}: {arm['why']}")
    elif form == "json":
        print_facts(facts | {strategy: arms, "left_out": dropped}, form)
    else:
        print_listing(arms, form)


def _print_search(definition: "StudyDefinition", facts: dict[str, Any], form: str) -> None:
    """The facts, and every single change with what it costs, as text or JSON."""
    from archlab.analysis.single_changes import single_changes

    space = definition.space
    changes = single_changes(space, definition.settings.latency_columns)
    if form == "json":
        kept = ("knob", "value", "against", "costs", "changes")
        facts["changes"] = [{name: getattr(each, name) for name in kept} for each in changes]
    print_facts(facts, form)
    if form != "table":
        return
    rows = [
        {
            "change": f"{each.knob} = {each.value}",
            "against": each.against,
            **{name: _share(each.costs.get(name), value) for name, value in each.baseline.items()},
            **({"": each.missing} if any(other.missing for other in changes) else {}),
        }
        for each in changes
    ]
    print_listing(rows, form, title="every change alone, against the baseline")
    if space.find_baseline() is None:
        outside = [name for name, value in space.baseline_values.items() if not _has(space.knobs[name].values, value)]
        why = f"it has its own {', '.join(outside)}" if outside else "require excludes it"
        click.secho(f"note    the baseline is outside the space: {why}; no trial is the baseline", fg="yellow")


def _share(value: float | None, baseline: float) -> str:
    return "" if value is None else f"{value / baseline - 1:+.1%}"


def _has(values: Sequence["Value"], wanted: "Label") -> bool:
    from archlab.space import label

    return any(label(value) == wanted for value in values)


def _space_facts(definition: "StudyDefinition") -> dict[str, Any]:
    from archlab.evaluation.measures import COSTS, better
    from archlab.space import survey
    from archlab.study.limits import cost_limits

    space = definition.space
    found = survey(space, cost_limits(definition))
    facts: dict[str, Any] = {
        "space": space.name,
        "knobs": ", ".join(space.knobs),
        "architectures": found.size,
        "counted": "all of them" if found.exhaustive else f"{found.counted:,} drawn at random",
    }
    for name in COSTS:
        span = getattr(found, name)
        facts |= {f"{name}_min": span.low, f"{name}_median": span.middle, f"{name}_max": span.high}
    facts |= {f"{name}_limit": limit for name, limit in found.limits.items()}
    facts["within_cost_limits"] = f"{found.within / found.counted:.1%}"
    for column, where in definition.settings.latency_columns.items():
        facts[f"{column}_device"] = f"{where.device}, {'estimated by ' + where.table if where.table else 'measured'}"
    checked_later = {name: limit for name, limit in definition.settings.limits.items() if name not in COSTS}
    facts |= {f"{name}_limit": _limit(name, limit) for name, limit in checked_later.items()}
    return facts | {"objectives": ", ".join(f"{name} ({better([name])})" for name in definition.settings.objectives)}


def _limit(column: str, limit: "float | Share") -> str | float:
    from archlab.evaluation.measures import direction

    if not isinstance(limit, float | int):
        return f"{limit.of_baseline:.0%} of the baseline"
    return limit if direction(column) == "minimize" else f"at least {limit:g}"


def _arms(definition: "StudyDefinition") -> tuple[str, list[dict[str, Any]]]:
    """What the plan's listing is about, and its rows."""
    from archlab.space import arm_costs, ladder_costs

    space, ladder = definition.space, definition.settings.ladder
    if ladder:
        return "each step on top of those before", [step._asdict() for step in ladder_costs(space, ladder)]
    arms = definition.plan().arms
    return "every arm, changes against the baseline", [arm._asdict() for arm in arm_costs(space, arms)]


def _in_percent(row: Mapping[str, Any]) -> dict[str, Any]:
    """Changes as a person reads them."""
    shares = {name: f"{value:+.1%}" for name, value in row.items() if "change" in name and value is not None}
    return {name.replace("_", " "): shares.get(name, value) for name, value in row.items()}
