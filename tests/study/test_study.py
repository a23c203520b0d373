"""A study as others read it."""

from pathlib import Path

from tests.study.made_up import write_study


def test_every_trial_is_counted_by_how_it_ended(tmp_path: Path) -> None:
    study = write_study(tmp_path, statuses="gated gated stopped failed repeat", complete=3)
    counts = study.counts
    assert (counts.asked, counts.trained, counts.repeats) == (8, 3, 1)
    assert (counts.gated, counts.stopped) == ({"macs_g": 2}, {2: 1})
    assert counts.failed == {"loss became NaN at step …": 1}
    assert str(counts) == (
        "8 asked: 3 trained, 2 over a limit (macs_g 2), 1 stopped at a rung (2 steps 1), 1 failed, "
        "1 answered by an earlier trial"
    )
    assert str(write_study(tmp_path, "empty", complete=0).counts) == "no trial was asked yet"


def test_a_trial_that_a_rung_stopped_has_no_quality(tmp_path: Path) -> None:
    row = write_study(tmp_path, statuses="stopped", complete=2).trials.iloc[-1]
    assert (row["status"], row["stopped_at"]) == ("stopped", 2)
    assert row[["quality", "val_loss", "fid"]].isna().all()
    assert not row["on_front"]
