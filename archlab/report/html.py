"""The report as one page that needs nothing but itself."""

import json
import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import jinja2
import pandas as pd
from pandas.api.types import is_numeric_dtype
from plotly.offline import get_plotlyjs

from archlab import __version__
from archlab.report.cards import Card, Picks, draw
from archlab.report.evaluation import samples
from archlab.report.front import front_info
from archlab.report.front_chart import front_card, further_fronts
from archlab.report.front_table import front_table_card
from archlab.report.history import counts, history_card
from archlab.report.knobs import knob_card
from archlab.report.labels import heading, unit
from archlab.report.provenance import provenance
from archlab.report.table import (
    StudyTable,
    baseline_row,
    cost_column,
    front_trials,
    is_known,
    measurements,
    scored,
    text,
)
from archlab.report.trials import trials_card
from archlab.report.winner import winner_card

CARDS = (
    (front_card, "front", "The front"),
    (front_table_card, "front_table", "The front, row by row"),
    (winner_card, "winner", "What the winner changed"),
    (knob_card, "knobs", "What each knob went with"),
    (history_card, "history", "History"),
    (trials_card, "trials", "Every trial"),
)
SAMPLES_MB = 24.0


def render(study: StudyTable, picks: Picks) -> str:
    """The page's HTML. It loads nothing: its own Content-Security-Policy forbids every address."""
    first, *rest = (draw(make, key, title, study, picks) for make, key, title in CARDS)
    cards = [first, *further_fronts(study, picks), *rest]
    return _template().render(
        name=study.name,
        summary=counts(study).sentence(),
        tiles=_tiles(study, picks),
        cards=cards,
        provenance=provenance(study),
        version=__version__,
        data=_json(_page_data(study, picks, cards)),
        plotly_js=get_plotlyjs(),
    )


def _page_data(study: StudyTable, picks: Picks, cards: list[Card]) -> dict[str, Any]:
    """What the page's script reads: figures, all trials, samples."""
    trials = next((card.data for card in cards if card.key == "trials"), None)
    table = trials if trials is not None else pd.DataFrame()
    marks = front_info(study, picks).picks
    return {
        "figures": {card.key: card.figure.to_plotly_json() for card in cards if card.figure is not None},
        "columns": [{"key": name, "heading": heading(str(name), study)} for name in table],
        "rows": table.astype(object).to_numpy().tolist(),
        "knobs": list(study.knobs),
        "numbers": [name for name in measurements(study) if is_numeric_dtype(study.trials[name])],
        "cost": cost_column(study),
        "unit": unit(cost_column(study)),
        "baseline": baseline_row(study),
        "picks": {str(number): name for number, name in marks.items()},
        "start": next(iter([*(picks[n] for n in ("knee", *picks) if n in picks), *sorted(front_trials(study))]), None),
        "samples": samples(study, _samples_order(study, picks), SAMPLES_MB),
    }


def _samples_order(study: StudyTable, picks: Picks) -> list[int]:
    """Picks and the front first, then by quality."""
    ranked: Iterable[Any] = scored(study).sort_values("quality")["trial"] if len(study.trials) else []
    return list(dict.fromkeys([*picks.values(), *sorted(front_trials(study)), *(int(n) for n in ranked)]))


def _tiles(study: StudyTable, picks: Picks) -> list[dict[str, str]]:
    found, info = counts(study), front_info(study, picks)
    tiles = [{"value": str(found.trained), "label": "trained", "note": f"of {found.asked} asked"}]
    if not info.front:
        return tiles
    cheapest, best = info.front[0], min(info.front, key=lambda point: point.quality)
    saved = 100 * (cheapest.cost / info.baseline_cost - 1) if info.baseline_cost else None
    share = f", {_signed(round(saved))} % on the baseline" if saved is not None else ""
    return [
        *tiles,
        {"value": str(len(info.front)), "label": "on the front", "note": f"{len(info.dominated)} dominated"},
        {
            "value": f"{'≈ ' * (cheapest.trial in info.estimated)}{text(cheapest.cost)} {unit(info.cost)}",
            "label": "cheapest on the front",
            "note": f"trial {cheapest.trial}{share}",
        },
        {
            "value": text(best.quality),
            "label": f"best {heading('quality', study)}",
            "note": f"trial {best.trial}",
        },
    ]


def _json(value: Any) -> str:
    """JSON that is safe inside a ``<script>`` element: no tag can begin or end in it, and NaN is null."""
    encoded = json.dumps(_plain(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if not is_known(value) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _signed(value: Any) -> str:
    return f"{value:+.3g}".replace("-", "−") if is_known(value) else ""


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("archlab.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = text
    environment.filters["signed"] = _signed
    environment.filters["signed_columns"] = lambda frame: [name.startswith(("Δ", "vs ")) for name in frame]
    environment.filters["numeric_columns"] = lambda frame: [is_numeric_dtype(frame[name]) for name in frame]
    environment.filters["rows"] = lambda frame: frame.astype(object).to_numpy().tolist()
    environment.tests["is_number"] = lambda value: pd.api.types.is_number(value) and not isinstance(value, bool)
    return environment.get_template("index.html.j2")
