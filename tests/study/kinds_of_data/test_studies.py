"""``archlab study`` on every kind of data: the table, the pictures and the report, trained for real."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.study.kinds_of_data.commands import ENCODED, Ran, run_study, write_mini

KINDS: Mapping[str, Mapping[str, Any]] = {
    "digits": {"data": "digits", "quality": "adherence"},
    "shapes": {"data": "shapes", "quality": "fid", "scale": {"width": 0.125, "sample_size": 16}},
    "untidy photographs": {"data": "untidy", "quality": "val_loss"},
    "photographs": {"data": "photographs", "quality": "kid", **ENCODED},
    "shards": {"data": "shards", "quality": "kid", **ENCODED},
    "two photographs": {"data": "two", "quality": "fid"},
}
OF_IMAGES = {"fid", "kid", "precision", "recall"}
TILES = (1120, 350)  # two rows of eight, each over its caption


@pytest.fixture(scope="module")
def ran(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """The finished study of a kind, run when it is first asked for."""
    known: dict[str, Ran] = {}

    def of(kind: str) -> Ran:
        if kind not in known:
            known[kind] = run_study(write_mini(folder, KINDS[kind]), tmp_path_factory.mktemp("study"))
        return known[kind]

    return of


@pytest.mark.parametrize(
    ("kind", "further", "label", "size"),
    [
        ("digits", {"adherence"}, "1 − adherence@16 (digits-reader-8px", (348, 844)),  # ten rows, 16 images
        ("shapes", {"adherence"}, "fid@16 (shapes-reader-16px)", TILES),
        ("untidy photographs", set(), "val_loss", TILES),
        ("photographs", {"clip_score"}, "kid@16 (tiny-clip)", TILES),
        ("shards", {"clip_score"}, "kid@16 (tiny-clip)", TILES),
    ],
)
def test_every_kind_of_data_is_trained_on_scored_drawn_and_reported(
    kind: str, further: set[str], label: str, size: tuple[int, int], ran: Callable[[str], Ran]
) -> None:
    study, report, _ = ran(kind)
    table = study.trials
    assert set(table["status"]) <= {"complete", "stopped"}
    complete = table[table["status"] == "complete"]
    assert not complete.empty
    scores = OF_IMAGES | further
    assert scores == (OF_IMAGES | {"adherence", "clip_score"}) & set(table.columns)
    assert np.isfinite(complete[["quality", "quality_error", "val_loss", *scores]].to_numpy(float)).all()
    assert (complete[["train_seconds", "score_seconds"]] > 0).all(axis=None)
    assert study.quality_label.startswith(label)
    for trial in complete["trial"]:
        with Image.open(study.files.trial(trial) / "samples.png") as picture:
            assert picture.size == size
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 100
    assert label in report.read_text(encoding="utf-8")


def test_same_pixels_and_captions_give_the_same_weights_and_scores_in_any_layout(ran: Callable[[str], Ran]) -> None:
    one, other = ran("photographs"), ran("shards")
    assert one.facts == other.facts


def test_what_is_left_out_is_said_once(ran: Callable[[str], Ran]) -> None:
    (line,) = [line for line in ran("untidy photographs").output.splitlines() if "left out" in line]
    assert "untidy: 109 images; left out:" in line
    for reason in ("broken image", "no caption", "colours without a known range"):
        assert f"1 × {reason}" in line


def test_two_images_are_enough_and_what_needs_more_is_said(ran: Callable[[str], Ran]) -> None:
    study, _, output = ran("two photographs")
    (complete,) = study.trials[study.trials["status"] == "complete"].head(1).to_dict("records")
    assert np.isfinite([complete[name] for name in ("fid", "kid", "recall", "val_loss")]).all()
    assert "precision" not in study.trials.columns
    (line,) = [line for line in output.splitlines() if "not scored" in line]
    assert line.endswith("two: not scored: precision needs a data set of at least 4 images, not 2")
