"""What is known before training, against scipy."""

from typing import Any

import pytest
from scipy.stats import kendalltau

from archlab.report.cards import NotYetError
from archlab.report.untrained import agreements, untrained_card


def test_tau_of_costs_and_scores_at_initialisation_with_quality_is_scipys(make_study: Any) -> None:
    made = make_study(samples=False)
    trials = made.trials.assign(naswot=-made.trials["quality"], synflow=made.trials["macs_g"] % 0.7)
    study = make_study(samples=False, trials=trials)
    found, complete = agreements(study), trials[trials["status"] == "complete"]
    assert next(iter(found)) == "naswot"
    assert set(found) == {"naswot", "synflow", "macs_g", "params_m"}
    for name, agreement in found.items():
        assert agreement.value == pytest.approx(kendalltau(-complete[name], complete["quality"]).statistic)
        assert agreement.low <= agreement.value <= agreement.high
    card = untrained_card(study, {})
    assert card.data is not None
    assert card.data["τ"].tolist() == [agreement.value for agreement in found.values()]
    assert f"over {len(complete)} trained trials" in card.sentence
    assert "Nearest comes naswot, at τ 1.00" in card.sentence
    assert "proxy.zero_cost" not in card.sentence


def test_where_every_interval_has_zero_nothing_comes_nearest(make_study: Any) -> None:
    trials = make_study(samples=False).trials
    few = trials[trials["status"] == "complete"].head(10)
    sizes = [3.0, 8.0, 1.0, 6.0, 10.0, 2.0, 9.0, 5.0, 4.0, 7.0]  # τ with 1 to 10: 0.2, and p = 0.48
    few = few.assign(quality=range(1, 11), params_m=sizes, macs_g=sizes)
    card = untrained_card(make_study(samples=False, trials=few), {})
    assert "None is told apart from no order. A search" in card.sentence


def test_without_scores_at_initialisation_it_is_said_how_to_have_them(make_study: Any) -> None:
    card = untrained_card(make_study(samples=False), {})
    assert "With proxy.zero_cost, scores at initialisation are here, too." in card.sentence


@pytest.mark.parametrize("kept", [0, 1, 7])
def test_a_few_trials_are_no_order(kept: int, make_study: Any) -> None:
    trials = make_study(samples=False).trials
    few = trials[trials["status"] == "complete"].head(kept)
    with pytest.raises(NotYetError, match=rf"needs 8 trained trials of different quality; there (is|are) {kept}\."):
        untrained_card(make_study(samples=False, trials=few), {})
