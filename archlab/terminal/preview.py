"""A study before it is run, as ``archlab check`` prints it."""

from collections.abc import Iterator, Mapping
from typing import Any

from archlab.evaluation.measures import COSTS, better, direction
from archlab.study.duration import Duration
from archlab.study.preview import Preview
from archlab.study.settings import Share
from archlab.terminal.listing import print_facts, print_listing, print_remark
from archlab.terminal.live import duration as in_words

_OF_A_CHANGE = ("knob", "value", "against", "costs", "changes")
_EVERY_ARM = "every arm, changes against the baseline"


def print_preview(found: Preview, form: str) -> None:
    """The facts; of a search every change alone with what it costs, of a plan every arm.

    Args:
        form: ``table``, ``json`` or ``csv``; as CSV a plan is its arms, a search its facts.
    """
    facts, arms = dict(_facts(found)), [arm._asdict() for arm in found.arms]
    if arms:
        facts |= {"plan": found.strategy, "arms": len(arms)}
    is_listed = bool(arms) and found.strategy != "grid"
    if form == "json":
        print_facts(facts | _figures(found) | _rows(found, arms if is_listed else None), form)
    elif form == "csv":
        print_listing(arms if is_listed else [facts | _figures(found)], form)
    else:
        print_facts(facts, form)
        if is_listed:
            about = "each step on top of those before" if "reported" in arms[0] else _EVERY_ARM
            print_listing([_in_percent(arm) for arm in arms], form, title=about)
        else:
            _print_changes(found)
        for word, sentence, colour in _remarks(found, is_listed):
            print_remark(word, sentence, colour)


def takes(found: Duration) -> str:
    """``about 4 min with one worker on …``: how long, where, and what that is made of."""
    proxy, most, least = found.proxy, in_words(3600 * found.hours), in_words(3600 * found.hours_at_least)
    is_sure = found.hours == found.hours_at_least
    long = f"about {most}" if is_sure else f"{least} to {most}, as trainings are paused or stopped at rungs,"
    parts = [
        f"{found.trials} trials",
        f"steps of {_brief(proxy.step_seconds)} ({proxy.steps} timed)",
        f"{_brief(proxy.end_seconds)} of scoring{' (guessed from one pass)' * proxy.is_extrapolated}",
    ]
    if found.measure_seconds:
        parts.append(f"{_brief(found.measure_seconds)} of converting and measuring")
    if found.not_timed:
        parts.append(f"without measuring on {', '.join(found.not_timed)}, which was not timed")
    return f"{long} with one worker on {proxy.computer}: {', '.join(parts)}"


def _brief(seconds: float) -> str:
    """``52 ms``, ``1.8 s``; what is longer as `archlab.terminal.live.duration` has it."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.2g} s" if seconds < 10 else in_words(seconds)


def _facts(found: Preview) -> Iterator[tuple[str, Any]]:
    survey = found.survey
    yield "space", found.name
    yield "knobs", ", ".join(found.knobs)
    yield "architectures", survey.size
    yield "counted", "all of them" if survey.exhaustive else f"{survey.counted:,} drawn at random"
    for name in COSTS:
        span = getattr(survey, name)
        yield from ((f"{name}_min", span.low), (f"{name}_median", span.middle), (f"{name}_max", span.high))
    for name, limit in survey.limits.items():
        yield f"{name}_limit", limit
    yield "within_cost_limits", f"{survey.within / survey.counted:.1%}"
    for column, where in found.devices.items():
        yield f"{column}_device", f"{where.device}, {'estimated by ' + where.table if where.table else 'measured'}"
    for name, later in found.later_limits.items():
        yield f"{name}_limit", _limit(name, later)
    yield "objectives", ", ".join(f"{name} ({better([name])})" for name in found.objectives)


def _limit(column: str, limit: float | Share) -> str | float:
    if isinstance(limit, Share):
        return f"{limit.of_baseline:.0%} of the baseline"
    return limit if direction(column) == "minimize" else f"at least {limit:g}"


def _figures(found: Preview) -> dict[str, Any]:
    """Of how long it takes, for other programs."""
    if found.duration is None:
        return {"not_timed": found.no_duration} if found.no_duration else {}
    one = found.duration
    return {
        "hours": one.hours,
        "hours_at_least": one.hours_at_least,
        "step_seconds": one.proxy.step_seconds,
        "score_seconds": one.proxy.end_seconds,
        "score_seconds_extrapolated": one.proxy.is_extrapolated,
        "measure_seconds": one.measure_seconds,
        "measure_not_timed": ", ".join(one.not_timed),
        "timed_on": one.proxy.computer,
    }


def _rows(found: Preview, arms: list[dict[str, Any]] | None) -> dict[str, Any]:
    """What JSON has beside the facts."""
    if arms is None:
        return {"changes": [{name: getattr(each, name) for name in _OF_A_CHANGE} for each in found.changes]}
    return {found.strategy: arms, "left_out": [arm._asdict() for arm in found.dropped]}


def _print_changes(found: Preview) -> None:
    rows = [
        {
            "change": f"{each.knob} = {each.value}",
            "against": each.against,
            **{name: _share(each.costs.get(name), value) for name, value in each.baseline.items()},
            **({"": each.missing} if any(other.missing for other in found.changes) else {}),
        }
        for each in found.changes
    ]
    print_listing(rows, "table", title="every change alone, against the baseline")


def _remarks(found: Preview, is_listed: bool) -> Iterator[tuple[str, str, str | None]]:
    """Below the table: a word, what it is about, and a colour."""
    for arm in found.dropped if is_listed else ():
        yield "left out:", f" {arm.name}: {arm.why}", None
    if not is_listed and found.no_baseline:
        yield "note", f"the baseline is outside the space: {found.no_baseline}; no trial is the baseline", "yellow"
    if found.duration is not None:
        yield "takes", takes(found.duration), None
    elif found.no_duration:
        yield "note", f"how long it takes is not estimated: {found.no_duration}", "yellow"


def _share(value: float | None, baseline: float) -> str:
    return "" if value is None else f"{value / baseline - 1:+.1%}"


def _in_percent(row: Mapping[str, Any]) -> dict[str, Any]:
    """Changes as a person reads them."""
    shares = {name: f"{value:+.1%}" for name, value in row.items() if "change" in name and value is not None}
    return {name.replace("_", " "): shares.get(name, value) for name, value in row.items()}
