"""How well what is known before training predicts the order of a study's architectures."""

from math import isnan

import numpy as np
import pandas as pd

from archlab.analysis.audit import LEAST, LEVEL
from archlab.analysis.audit.agreement import Agreement, kendall_tau
from archlab.analysis.table import StudyTable
from archlab.evaluation.measures import COSTS, ZERO_COST
from archlab.report.cards import Card, NotYetError, Picks
from archlab.report.labels import heading
from archlab.report.table import scored

_KNOWN = (*ZERO_COST, *COSTS)
_MOST = 300  # trials; more add nothing, and pairs are many


def untrained_card(study: StudyTable, picks: Picks) -> Card:
    """Kendall's τ of the scores at initialisation, MACs and params with quality.

    Raises:
        NotYetError: too few trials were trained, or all to the same quality.
    """
    rows = _trained(study)
    found = agreements(study)
    if not found:
        had = f"there {'is' if len(rows) == 1 else 'are'} {len(rows)}"
        raise NotYetError(f"This needs {LEAST} trained trials of different quality; {had}.")
    best = next(iter(found))
    nearest = "None is told apart from no order."
    if found[best].low > 0:
        nearest = f"Nearest comes {heading(best, study)}, at τ {found[best].value:.2f}."
    more = "" if found.keys() & set(ZERO_COST) else " With proxy.zero_cost, scores at initialisation are here, too."
    return Card(
        key="untrained",
        title="What is known without training",
        sentence=(
            f"Kendall's τ with quality over {len(rows)} trained trials, with {100 * LEVEL:.4g} % bootstrap intervals: "
            "1 is the same order, 0 none; more is taken to be better. "
            f"{nearest} "
            f"A search looks for what is cheap and good, so these are τ of what it chose to train.{more}"
        ),
        data=pd.DataFrame(
            [(heading(name, study), *agreement) for name, agreement in found.items()],
            columns=["known before training", "τ", "τ from", "τ to"],
        ),
    )


def agreements(study: StudyTable) -> dict[str, Agreement]:
    """By column, best first; nothing where there is no order to compare with."""
    rows = _trained(study)
    if len(rows) < LEAST:
        return {}
    quality = rows["quality"].to_numpy(float)
    known = [name for name in _KNOWN if name in rows and rows[name].notna().all()]
    found = {name: kendall_tau(-rows[name].to_numpy(float)[np.newaxis], quality) for name in known}
    ordered = {name: agreement for name, agreement in found.items() if not isnan(agreement.value)}
    return dict(sorted(ordered.items(), key=lambda item: -item[1].value))


def _trained(study: StudyTable) -> pd.DataFrame:
    """Trained trials, evenly spread over the study where they are very many."""
    rows = scored(study)
    return rows.iloc[:: max(1, -(-len(rows) // _MOST))]
