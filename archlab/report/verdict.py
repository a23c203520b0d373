"""The first sentences of a page: which trial to take, what it costs in quality, and how sure that is."""

from collections.abc import Iterator
from typing import Any

from archlab.analysis.picks import next_to_export
from archlab.analysis.picks import picks as reasoned
from archlab.analysis.table import StudyTable
from archlab.report.cards import Picks
from archlab.report.front import FrontInfo, Point, front_info, with_unit
from archlab.report.labels import heading, noun
from archlab.report.table import baseline_row, is_known, text


def verdict(study: StudyTable, picks: Picks) -> list[str]:
    """Sentences about the first pick that is not the baseline, or that only the baseline was trained; nothing where
    neither is so. What is noisy is not told as a number; a difference within noise is called none."""
    trained = set(study.trials.loc[study.trials["status"] == "complete", "architecture"])
    if trained == {study.baseline_spec.id}:
        return ["Only the baseline has been trained to the end yet."]
    known = {
        word: pick for word, pick in reasoned(study.front, study.objectives).items() if picks.get(word) == pick.trial
    }
    word = next_to_export(known, study.trials, study.baseline_spec.id)
    info = front_info(study, picks)
    point = next((point for point in info.front if word and point.trial == known[word].trial), None)
    if word is None or point is None:
        return []
    return [
        f"Take trial {point.trial}, {_named(word)} of the front.",
        " ".join(filter(None, [_cost(study, info, point), _quality(study, info, point)])),
        " ".join(_doubts(study, info)),
    ]


def _named(word: str) -> str:
    return {"knee": "the knee", "good_and_fast": "the fastest of the good ones", "best": "the best"}.get(word, word)


def _cost(study: StudyTable, info: FrontInfo, point: Point) -> str:
    """Against the baseline's; by MACs where a latency is noisy."""
    if point.trial in info.noisy or info.baseline_noisy:
        said = f"{noun(info.cost, study)} is noisy, its own or the baseline's, so how much it saves is not told"
        share = _share(study, "macs_g", point.trial)
        return f"{said}; of MACs it needs {share}." if share else f"{said}."
    doubt = " (estimated)" * (point.trial in info.estimated)
    share = _share(study, info.cost, point.trial)
    than = f", {share} than the baseline" if share else ""
    return f"It takes {with_unit(point.cost, info)}{doubt}{than}."


def _share(study: StudyTable, column: str, trial: int) -> str:
    """``84 % less``"""
    base: Any = baseline_row(study).get(column)
    own: Any = study.trials.set_index("trial")[column].get(trial)
    if not is_known(base) or not is_known(own) or not base:
        return ""
    share = 100 * (own / base - 1)
    return f"{abs(share):.0f} % {'less' if share < 0 else 'more'}"


def _quality(study: StudyTable, info: FrontInfo, point: Point) -> str:
    name, margin = heading("quality", study), info.margins.get(point.trial)
    own = f"{text(point.quality)}{f' ± {margin:.2g}' if margin else ''}"
    if info.baseline_quality is None:
        return f"Its {name} is {own}; the baseline's is not known."
    difference = point.quality - info.baseline_quality
    theirs = f"{text(info.baseline_quality)}{f' ± {info.baseline_margin:.2g}' if info.baseline_margin else ''}"
    if margin and info.baseline_margin and abs(difference) < (margin**2 + info.baseline_margin**2) ** 0.5:
        return f"Its {name}, {own}, is the baseline's, {theirs}, within the noise of scoring."
    share = f" by {abs(100 * difference / info.baseline_quality):.0f} %" if info.baseline_quality else ""
    return f"Its {name}, {own}, is {'worse' if difference > 0 else 'better'} than the baseline's, {theirs}{share}."


def _doubts(study: StudyTable, info: FrontInfo) -> Iterator[str]:
    """How sure: seeds, and the proxy."""
    seeds = study.proxy.seeds
    if seeds == 1:
        yield (
            "Each architecture was trained once, so ± is of the images alone: another seed may exchange neighbours on "
            "the front."
        )
    elif info.margins:
        yield f"± is a 95 % interval over {seeds} seeds."
    yield "Quality is that of small proxies, trained for a short time: it ranks architectures."
