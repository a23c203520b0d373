import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from archlab.evaluation import AnyLatency, Score
from archlab.evaluation.model_scores import ModelScores
from archlab.report.model_scores import shown_scores, write_scores
from archlab.report.scores_chart import scores_figure, scores_info
from tests.made_up_facts import measured

LABEL = "fid@256 (digits-reader-8px)"


def scored(model: str, steps: int, fid: float, latency: dict[str, AnyLatency], label: str = LABEL) -> ModelScores:
    scores = {"fid": Score(label, fid, 0.0823), "adherence": Score("adherence@256 (r)", 1.0, 0.0)}
    return ModelScores(
        model=model,
        architecture="0123456789ab",
        steps=steps,
        guidance=2.0,
        passes=2 * steps,
        scores=scores | {"val_loss": Score("val_loss (v)", 0.21, 0.008)},
        latency=latency,
        params_m=0.8,
        macs_g=0.0123,
    )


@pytest.fixture
def rows() -> list[ModelScores]:
    here, phone = measured(0.25), measured(7.0, noise="hot")
    return [
        scored("a|b_1", steps, fid, {"tflite": here, "android:R5": phone})
        for steps, fid in ((50, 0.96), (8, 1.5), (1, 40.0))
    ] + [scored("best", 8, 1.234, {"tflite": measured(0.5), "android:R5": phone})]


def test_files_have_every_number(rows: list[ModelScores], tmp_path: Path) -> None:
    pictures = write_scores(rows, tmp_path / "out ä")
    table = pd.read_csv(tmp_path / "out ä" / "scores.csv")
    assert list(table["image_ms"]) == [25.0, 4.0, 0.5, 8.0]
    assert list(table["image_ms_android:R5"]) == [700.0, 112.0, 14.0, 112.0]
    assert list(table["latency_noisy_android:R5"]) == [True] * 4
    assert list(table["fid"]) == [0.96, 1.5, 40.0, 1.234]
    assert set(table["fid_label"]) == {LABEL}
    assert list(table["val_loss (v)"]) == [0.21] * 4
    assert "val_loss" not in table
    markdown = (tmp_path / "out ä" / "scores.md").read_text(encoding="utf-8")
    assert f"| {LABEL} |" in markdown.splitlines()[0]
    assert markdown.splitlines()[2].startswith(
        "| a\\|b_1 | 50 | 100 | 0.960 ± 0.082 | 1 | 0.2100 ± 0.0080 | 0.25 | 25 |"
    )
    assert "700 (noisy)" in markdown
    latex = (tmp_path / "out ä" / "scores.tex").read_text(encoding="utf-8")
    assert r"a|b\_1 & 50 & 100 & 0.960 $\pm$ 0.082" in latex
    for picture in pictures:
        assert Image.open(picture).width > 1000
        assert picture.with_suffix(".svg").is_file()


def test_the_chart_has_a_line_for_each_model_by_rising_time(rows: list[ModelScores]) -> None:
    info = scores_info(rows, "android:R5")
    assert info is not None
    assert [(line.model, [point.steps for point in line.points]) for line in info.models] == [
        ("a|b_1", [1, 8, 50]),
        ("best", [8]),
    ]
    assert info.models[0].points[0]._asdict() == {
        "steps": 1,
        "cost": 14.0,
        "fid": 40.0,
        "error": 0.0823,
        "noisy": True,
    }
    assert info.fid_title.startswith(LABEL)
    assert "android:R5" in info.cost_title


def test_without_a_latency_images_cost_their_passes(tmp_path: Path) -> None:
    rows = [scored("a", steps, 1.0, {}) for steps in (8, 1)]
    info = scores_info(rows)
    assert info is not None
    assert [point.cost for point in info.models[0].points] == [2.0, 16.0]
    assert write_scores(rows, tmp_path) == [tmp_path / "scores.png"]
    assert "image (ms)" not in shown_scores(rows)


def test_two_labels_are_never_on_one_chart() -> None:
    rows = [scored("a", 8, 1.0, {}), scored("b", 8, 1.0, {}, label="fid@256 (inception)")]
    with pytest.raises(ValueError, match=re.escape("fid@256 (inception)")):
        scores_info(rows)


def test_every_point_says_its_steps(rows: list[ModelScores]) -> None:
    info = scores_info(rows, "tflite")
    assert info is not None
    figure = scores_figure(info)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(text for text in written if text) == ["1 step", "50 steps", "8 steps", "8 steps"]
