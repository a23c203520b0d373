"""The report as one page that needs nothing but itself."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from archlab.analysis.counts import count_trials
from archlab.analysis.effects import is_ablation
from archlab.analysis.health import health
from archlab.analysis.table import StudyTable
from archlab.evaluation.evaluation import kind_column, noisy_column
from archlab.evaluation.measures import COSTS, beyond, direction, find_column
from archlab.report.cards import Card, Picks, draw
from archlab.report.effects import effects_card
from archlab.report.evaluation import samples
from archlab.report.front import front_info
from archlab.report.front_chart import front_card, further_fronts
from archlab.report.front_table import front_table_card
from archlab.report.history import history_card, summary
from archlab.report.labels import heading, unit
from archlab.report.page import render_page, signed
from archlab.report.picks import picks_card
from archlab.report.provenance import provenance
from archlab.report.style import COLOURS
from archlab.report.table import baseline_row, charted_cost, front_trials, measurements, scored, text
from archlab.report.trials import trials_card
from archlab.report.untrained import untrained_card
from archlab.report.verdict import verdict
from archlab.report.winner import drawings, winner_card

CARDS = (
    (front_card, "front", "The front"),
    (front_table_card, "front_table", "The front, row by row"),
    (picks_card, "picks", "Which one to take"),
    (winner_card, "winner", "What the winner changed"),
    (effects_card, "effects", "What each change does"),
    (untrained_card, "untrained", "What is known without training"),
    (history_card, "history", "History"),
    (trials_card, "trials", "Every trial"),
)


def render(study: StudyTable, picks: Picks, samples_mb: float) -> str:
    """The report's HTML, with so many MB of samples at most."""
    first, *rest = (draw(make, key, title, study, picks) for make, key, title in CARDS)
    cards = [first, *further_fronts(study, picks), *rest]
    if is_ablation(study):
        cards.sort(key=lambda card: card.key != "effects")  # what it was made for comes first
    hour = ""
    if study.design.strategy == "surrogate":
        cards, hour = _explained(study, cards)
    return render_page(
        "index.html.j2",
        _page_data(study, picks, cards, samples_mb),
        name=study.name,
        summary=summary(study),
        verdict=[line for line in (*verdict(study, picks), hour) if line],
        tiles=_tiles(study, picks),
        health=health(study),
        cards=cards,
        provenance=provenance(study),
    )


def _explained(study: StudyTable, cards: list[Card]) -> tuple[list[Card], str]:
    """With the surrogate's cards behind that of the effects, and what a further hour is expected to bring."""
    from archlab.report.surrogate import explained, further_hour, surrogate_cards

    found = explained(study)
    place = 1 + [card.key for card in cards].index("effects")
    hour = "" if found is None else further_hour(found.hour)
    return [*cards[:place], *surrogate_cards(found, study), *cards[place:]], hour


def _page_data(study: StudyTable, picks: Picks, cards: list[Card], samples_mb: float) -> dict[str, Any]:
    """What the page's script reads: figures, all trials, samples."""
    trials = next((card.data for card in cards if card.key == "trials"), None)
    table = trials if trials is not None else pd.DataFrame()
    marks = front_info(study, picks).picks
    order = _samples_order(study, picks)
    return {
        "study": study.name,
        "figures": {card.key: card.figure.to_plotly_json() for card in cards if card.figure is not None},
        "columns": [_column(str(name), study) for name in table],
        "rows": table.astype(object).to_numpy().tolist(),
        "gated": f"{beyond(study.limits)} a limit",
        "knobs": list(study.knobs),
        "numbers": [name for name in measurements(study) if is_numeric_dtype(study.trials[name])],
        "cost": charted_cost(study),
        "sign": 1 if direction(charted_cost(study)) == "minimize" else -1,
        "unit": unit(charted_cost(study)),
        "colours": COLOURS,
        "baseline": baseline_row(study),
        "picks": {str(number): name for number, name in marks.items()},
        "start": next(iter([*(picks[n] for n in ("knee", *picks) if n in picks), *sorted(front_trials(study))]), None),
        "samples": samples(study, order, samples_mb),
        "drawings": drawings(
            study, [*order, *(int(n) for n in study.trials["trial"] if n not in set(order))]
        )._asdict(),
        "ranged": [*study.objectives, *(name for name in COSTS if name not in study.objectives)],
    }


def _column(name: str, study: StudyTable) -> dict[str, Any]:
    """What the page knows of a column of its table; ``kind`` and ``noisy``: the columns that say how its values came
    about and which cannot be trusted."""
    found = find_column(name)
    is_cost = found is not None and found.measure.is_cost
    return {
        "key": name,
        "heading": heading(name, study),
        "kind": kind_column(name),
        "noisy": noisy_column(name),
        "is_cost": is_cost,
    }


def _samples_order(study: StudyTable, picks: Picks) -> list[int]:
    """Picks and the front first, then by quality."""
    ranked: Iterable[Any] = scored(study).sort_values("quality")["trial"] if len(study.trials) else []
    return list(dict.fromkeys([*picks.values(), *sorted(front_trials(study)), *(int(n) for n in ranked)]))


def _tiles(study: StudyTable, picks: Picks) -> list[dict[str, str]]:
    found, info = count_trials(study.trials), front_info(study, picks)
    tiles = [{"value": str(found.trained), "label": "trained", "note": f"of {found.asked} asked"}]
    if not info.front:
        return tiles
    quiet = [point for point in info.front if point.trial not in info.noisy] or info.front
    cheapest, best = quiet[0], min(info.front, key=lambda point: point.quality)
    saved = 100 * (cheapest.cost / info.baseline_cost - 1) if info.baseline_cost and not info.baseline_noisy else None
    share = f", {signed(round(saved))} % on the baseline" if saved is not None else ""
    return [
        *tiles,
        {"value": str(len(info.front)), "label": "on the front", "note": f"{len(info.dominated)} dominated"},
        {
            "value": f"{'≈ ' * (cheapest.trial in info.estimated)}{text(cheapest.cost)} {unit(info.cost)}",
            "label": "cheapest on the front" if info.measure.is_cost else f"best {info.cost} on the front",
            "note": f"trial {cheapest.trial}{share}{', noisy' * (cheapest.trial in info.noisy)}",
        },
        {
            "value": text(best.quality),
            "label": f"best {heading('quality', study)}",
            "note": f"trial {best.trial}",
        },
    ]
