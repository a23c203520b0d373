"""Columns of scores in tables and panel: headed as people read them, in reading order."""

from typing import Any

import pytest

from archlab.report.front_table import front_table
from archlab.report.labels import heading
from archlab.report.table import measurements

SCORES = ("kid", "adherence", "val_loss_q1", "fid_8_steps", "kid_8_steps", "grad_norm")


@pytest.fixture
def scored(make_study: Any) -> Any:
    trials = make_study(samples=False).trials.assign(
        fid=9.0, fid_label="fid@256 (digits-reader-8px)", quality_error=0.01
    )
    return make_study(samples=False, trials=trials.assign(**dict.fromkeys(SCORES, 0.5)))


@pytest.mark.parametrize(
    ("column", "headed"),
    [
        ("quality_error", "± over images"),
        ("fid", "fid@256 (digits-reader-8px)"),
        ("kid_8_steps", "kid@256 (digits-reader-8px) at 8 steps"),
        ("adherence", "adherence"),
        ("val_loss_q1", "validation loss, quarter 1"),
        ("grad_norm", "gradient norm"),
    ],
)
def test_a_score_is_headed_by_what_it_is(column: str, headed: str, scored: Any) -> None:
    assert heading(column, scored) == headed


def test_scores_of_several_labels_are_headed_without(scored: Any) -> None:
    scored.trials.loc[0, "fid_label"] = "fid@64 (digits-reader-8px)"
    assert heading("fid", scored) == "fid"


def test_scores_stand_among_the_measurements_and_the_chief_ones_in_the_front(scored: Any) -> None:
    found = measurements(scored)
    assert set(SCORES) < set(found)
    assert found.index("quality_error") == 1
    assert "fid_label" not in found
    table = front_table(scored)
    assert {"± over images", "kid@256 (digits-reader-8px)", "adherence"} < set(table)
    assert "validation loss, quarter 1" not in table
