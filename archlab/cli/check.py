"""``archlab check SPACE.yaml``"""

from typing import Any

import click

from archlab.cli.listing import format_option, print_facts, print_listing


@click.command()
@click.argument("space", type=click.Path())
@format_option
def check(space: str, form: str) -> None:
    """Validate a search space, count it, and say whether its limits can be met."""
    from archlab.space import ladder_costs, load_space, survey
    from archlab.space.settings import Share

    loaded = load_space(space)
    found = survey(loaded)
    facts: dict[str, Any] = {
        "space": loaded.name,
        "knobs": ", ".join(loaded.knobs),
        "architectures": found.size,
        "counted": "all of them" if found.exhaustive else f"{found.counted:,} drawn at random",
    }
    for name in ("params_m", "macs_g"):
        span = getattr(found, name)
        facts |= {f"{name}_min": span.low, f"{name}_median": span.middle, f"{name}_max": span.high}
    facts |= {f"{name}_limit": limit for name, limit in found.limits.items()}
    facts["within_cost_limits"] = f"{found.within / found.counted:.1%}"
    for column, where in loaded.settings.latency_columns.items():
        facts[f"{column}_device"] = f"{where.device}, {'estimated by ' + where.table if where.table else 'measured'}"
        limit = loaded.settings.latency_limits.get(column)
        if limit is not None:
            facts[f"{column}_limit"] = f"{limit.of_baseline:.0%} of the baseline" if isinstance(limit, Share) else limit
    if not loaded.settings.ladder:
        print_facts(facts, form)
        return
    steps = [cost._asdict() for cost in ladder_costs(loaded)]
    if form == "table":
        print_facts(facts, form)
        print_listing([_in_percent(step) for step in steps], form, title="each step on top of those before")
    elif form == "json":
        print_facts(facts | {"ladder": steps}, form)
    else:
        print_listing(steps, form)


def _in_percent(step: dict[str, Any]) -> dict[str, Any]:
    """Changes as a person reads them."""
    shares = {name: f"{value:+.1%}" for name, value in step.items() if "change" in name and value is not None}
    return {name.replace("_", " "): shares.get(name, value) for name, value in step.items()}
