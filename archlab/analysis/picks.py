"""Which architecture of the front to take, and why."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archlab.analysis.noise import ends, equals, listed, noisy_trials
from archlab.analysis.table import cost_objectives, minimised
from archlab.errors import BadInput, nearest, shown
from archlab.evaluation.evaluation import interval_columns
from archlab.evaluation.measures import direction, find_column

WORDS = ("knee", "good_and_fast", "good_and_cheap", "best", "smallest", "fastest", "cheapest")
WITHIN = 0.1  # of the front's quality range: what `good_and_fast` may give away of the best quality

_MOST_DIGITS = 10


class Pick(NamedTuple):
    """A trial chosen from the front, with one sentence of why."""

    trial: int
    why: str


def picks(
    front: pd.DataFrame, objectives: Sequence[str], limits: Mapping[str, float] | None = None, within: float = WITHIN
) -> dict[str, Pick]:
    """Picks of a front by what they are called, as far as its objectives allow them; empty for an empty front.

    - ``knee``: nearest to the best of every objective at once, objectives scaled to the front's range
    - ``good_and_fast``: the least latency among those whose quality is near the best; where the first cost objective is
      no latency it is ``good_and_cheap``: the least of that
    - ``best``: the best quality; all of the front is under the limits
    - ``smallest``: the fewest parameters
    - ``fastest``: the least latency, whatever its quality; where the first cost objective is no latency, ``cheapest``

    Of equals, the first objectives decide, then the earlier trial. A sentence says which others are as good within the
    noise of measuring, and that a number is noisy.

    Args:
        limits: the study's hard limits, for the sentences.
        within: how far ``good_and_fast`` may be from the best quality, as a share of the front's range.
    """
    if front.empty:
        return {}
    order = minimised(front, objectives).assign(trial=front["trial"]).sort_values([*objectives, "trial"])
    front = front.loc[order.index]
    costs = cost_objectives(objectives)
    chosen = {"knee": _knee(front, objectives)}
    good, least = _names_by_cost(objectives)
    if "quality" in objectives:
        if costs:
            chosen[good] = _good_and_cheap(front, costs[0], within)
        chosen["best"] = _best(front, costs, limits or {})
    if "params_m" in front and front["params_m"].notna().all():
        row = front.sort_values("params_m", kind="stable").iloc[0]
        chosen["smallest"] = _pick(row, f"fewest parameters on the front: {amount('params_m', row)}")
    if costs:
        row = front.sort_values(costs[0], kind="stable").iloc[0]
        why = f"least {costs[0]} on the front: {amount(costs[0], row)}"
        chosen[least] = _pick(row, why + _as_cheap(front, costs[0], row))
    return {word: _with_noise(choice, front, costs) for word, choice in chosen.items()}


def pick(
    table: pd.DataFrame,
    front: pd.DataFrame,
    objectives: Sequence[str],
    word: str,
    limits: Mapping[str, float] | None = None,
) -> Pick:
    """The trial that ``word`` names: a pick, ``good_and_fast:25%`` for another share of the quality range, or a number.

    Raises:
        BadInput: no such pick, no such trial, or one without trained weights.
    """
    name, within = _share(word)
    chosen = picks(front, objectives, limits, within)
    if name in chosen:
        return chosen[name]
    if not (word.isdecimal() and len(word) < _MOST_DIGITS):
        if not chosen:
            raise BadInput("--pick: the front is empty")
        raise BadInput(f"--pick: no {shown(word)}{_instead(name, objectives, chosen)}; or a trial's number")
    rows = table[table["trial"] == int(word)]
    if rows.empty:
        raise BadInput(f"--pick: there is no trial {word}; the last is {table['trial'].max()}")
    if rows.iloc[0]["status"] != "complete":
        raise BadInput(f"--pick: trial {word} is {rows.iloc[0]['status']} ({rows.iloc[0]['reason']}), not trained")
    return Pick(int(word), "chosen by number")


def next_to_export(chosen: Mapping[str, Pick], table: pd.DataFrame, baseline: str) -> str | None:
    """The first pick that is not the baseline itself, by its word; None where there is none.

    Args:
        baseline: the content hash of the baseline's architecture.
    """
    architectures = table.set_index("trial")["architecture"]
    return next((word for word, pick in chosen.items() if architectures[pick.trial] != baseline), None)


def amount(column: str, row: Mapping[str, float] | pd.Series) -> str:
    """A number with its unit: ``7.5 ms``, ``3.2 M parameters``."""
    found = find_column(column)
    return f"{row[column]:.4g} {found.measure.unit_in_a_sentence if found else ''}".strip()


def _knee(front: pd.DataFrame, objectives: Sequence[str]) -> Pick:
    values = minimised(front, objectives).to_numpy()
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / np.where(high > low, high - low, 1.0)
    distances = np.linalg.norm(scaled, axis=1)
    row = front.iloc[int(distances.argmin())]
    best = {name: front[name].min() if direction(name) == "minimize" else front[name].max() for name in objectives}
    said = [f"{name} {amount(name, row)} (the best: {amount(name, best)})" for name in objectives]
    why = f"nearest to the best of every objective at once, scaled to the front's range: {', '.join(said)}"
    return _pick(row, why + _as_near(front, objectives, distances))


def _good_and_cheap(front: pd.DataFrame, cost: str, within: float) -> Pick:
    best = front["quality"].min()
    slack = within * (front["quality"].max() - best)
    candidates = front[front["quality"] <= best + slack]
    row = candidates.sort_values(cost, kind="stable").iloc[0]
    return _pick(
        row,
        f"least {cost}, {amount(cost, row)}, of those whose quality is within {slack:.2g} of the best "
        f"({within:.0%} of the front's range): {row['quality']:.4g} against {best:.4g}"
        f"{_as_cheap(candidates, cost, row)}",
    )


def _as_near(front: pd.DataFrame, objectives: Sequence[str], distances: NDArray[np.float64]) -> str:
    """Who else may be the knee: at the near ends of its intervals, with the knee at the far ends of its own."""
    values = minimised(front, objectives)
    span = (values.max() - values.min()).replace(0, 1.0)
    knee = int(distances.argmin())
    low, high = values.copy(), values.copy()
    for name in objectives:
        if interval_columns(name) is not None:
            low[name], high[name] = ends(front, name)["low"], ends(front, name)["high"]
    least = np.linalg.norm(((low - values.min()) / span).clip(lower=0), axis=1)
    most = float(np.linalg.norm((high - values.min()) / span, axis=1)[knee])
    others = sorted(int(front["trial"].iloc[at]) for at in np.flatnonzero(least <= most) if at != knee)
    is_told = (low == high).to_numpy().all()
    return "" if is_told or not others else f"; {listed(others)} may be as near within the noise of measuring"


def _as_cheap(candidates: pd.DataFrame, cost: str, row: pd.Series) -> str:
    others = equals(candidates, cost, int(row["trial"]))
    return f"; within the noise of measuring, {listed(others)} may need less" if others else ""


def _with_noise(choice: Pick, front: pd.DataFrame, costs: Sequence[str]) -> Pick:
    noisy = [name for name in costs if choice.trial in noisy_trials(front, name)]
    return Pick(choice.trial, f"{choice.why}; its {' and '.join(noisy)} is noisy") if noisy else choice


def _best(front: pd.DataFrame, costs: Sequence[str], limits: Mapping[str, float]) -> Pick:
    row = front.sort_values(["quality", *costs], kind="stable").iloc[0]
    ends = {"minimize": "up to", "maximize": "from"}
    bounds = ", ".join(f"{name} {ends[direction(name)]} {amount(name, limits)}" for name in limits)
    return _pick(
        row,
        f"best quality {f'under the limits ({bounds})' if bounds else 'on the front'}: {row['quality']:.4g}"
        + "".join(f", at {amount(name, row)}" for name in costs),
    )


def _pick(row: pd.Series, why: str) -> Pick:
    return Pick(int(row["trial"]), why)


def _names_by_cost(objectives: Sequence[str]) -> tuple[str, str]:
    """What the least of the first cost objective is called, near the best quality and whatever its quality."""
    costs = cost_objectives(objectives)
    found = find_column(costs[0]) if costs else None
    is_latency = found is not None and found.measure.name == "latency_ms"
    return ("good_and_fast", "fastest") if is_latency else ("good_and_cheap", "cheapest")


def _instead(name: str, objectives: Sequence[str], chosen: Mapping[str, Pick]) -> str:
    """What to say in place of a word that names another cost than the first objective's, or nothing."""
    if name not in WORDS or not cost_objectives(objectives):
        return nearest(name, chosen)
    good, least = _names_by_cost(objectives)
    right = good if name.startswith("good") else least
    return f": {right!r} is the least {cost_objectives(objectives)[0]}, the study's first cost objective"


def _share(word: str) -> tuple[str, float]:
    """``good_and_fast:25%`` as its name and share."""
    name, colon, share = word.partition(":")
    if not colon:
        return word, WITHIN
    if name in ("fastest", "cheapest"):
        good = {"fastest": "good_and_fast", "cheapest": "good_and_cheap"}[name]
        raise BadInput(f"--pick: {name!r} is the least of all and takes no share; {good}:{share} may be meant")
    if not name.startswith("good_and_") or name not in WORDS:
        return word, WITHIN
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,9})?) ?%", share)
    if not found or float(found[1]) > 100:
        raise BadInput(f"--pick: {shown(word)}: a share of the front's quality range is from 0% to 100%, like 25%")
    return name, float(found[1]) / 100
