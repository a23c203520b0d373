from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archlab.encoders.prepare import Prepared
from archlab.errors import BadInput
from archlab.evaluation.fact import from_json, to_json
from archlab.proxy.parts import prepare_proxy, proxy_scorer
from archlab.proxy.settings import ProxySettings, Scale
from archlab.scores.metrics import METRICS
from archlab.scores.metrics.adherence import adherence
from archlab.scores.metrics.metric import Conditions, DrawnImages, ImageMetric, Judges
from archlab.scores.resampling import Statistic, ratio
from archlab.scores.score import Scores
from archlab.scores.settings import Quality
from tests.encoders.tiny import save_clip

SETTINGS = ProxySettings(data="digits", scale=Scale(sample_size=8), samples=40, sampling_steps=20, score_steps=(20, 8))
COMPARED = ["fid", "kid", "precision", "recall", "adherence"]


class Silent(nn.Module):
    """Predicts no noise."""

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        return torch.zeros_like(sample)


class Draws:
    """Real digits, noisy ones with fewer than 20 steps, and notes how many of what were asked for."""

    def __init__(self, prepared: Prepared) -> None:
        self.data, self.asked = prepared.data, []

    def __call__(self, prompts: Sequence[str], steps: int, progress: Callable[[float], None]) -> Tensor:
        self.asked.append((len(prompts), steps))
        progress(0.5)
        progress(1.0)
        real = torch.stack([self.data.images[self.data.captions.index(prompt)] for prompt in prompts])
        noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
        return real if steps == 20 else (real + noise).clamp(-1, 1)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare_proxy(SETTINGS)


@pytest.fixture
def draw(prepared: Prepared) -> Draws:
    return Draws(prepared)


def test_the_end_has_every_score_at_every_number_of_steps(prepared: Prepared, draw: Draws) -> None:
    heard: list[float] = []
    found = proxy_scorer(prepared, SETTINGS).at_end(Silent(), draw, heard.append)
    losses = ["val_loss", *(f"val_loss_q{band}" for band in (1, 2, 3, 4))]
    assert list(found.by_name) == [*losses, *COMPARED, *(f"{name}_8_steps" for name in COMPARED)]
    assert draw.asked == [(40, 20), (40, 8)]
    assert heard == pytest.approx([10 / 28, 20 / 28, 24 / 28, 1])
    assert found.quality == found.by_name["val_loss"]
    assert found.by_name["adherence"].value == 1
    assert found.by_name["adherence_8_steps"].value < 0.9
    assert found.by_name["fid"].value < found.by_name["fid_8_steps"].value
    labels = [found.by_name[name].label for name in ("precision", "adherence_8_steps")]
    assert labels == ["precision@40 (digits-reader-8px)", "adherence@40 at 8 steps (digits-reader-8px)"]


@pytest.mark.parametrize("quality", ["val_loss", *COMPARED])
def test_quality_is_the_same_at_a_rung_and_lower_is_better(quality: Quality, prepared: Prepared, draw: Draws) -> None:
    settings = SETTINGS.model_copy(update={"quality": quality})
    scorer = proxy_scorer(prepared, settings)
    at_rung, at_end = scorer.at_rung(Silent(), draw), scorer.at_end(Silent(), draw)
    assert at_rung.quality == at_end.quality
    assert at_rung.by_name.items() <= at_end.by_name.items()
    assert scorer.draws_at_rungs == (len(draw.asked) > 2)
    score = at_end.by_name[quality]
    if quality in ("precision", "recall", "adherence"):
        assert at_rung.quality.value == 1 - score.value
        assert at_rung.quality.label == f"1 − {score.label}"
    else:
        assert at_rung.quality == score


def test_at_every_rung_everything_is_scored_where_that_is_asked_for(prepared: Prepared, draw: Draws) -> None:
    scorer = proxy_scorer(prepared, SETTINGS.model_copy(update={"score_rungs": True}))
    found = scorer.at_end(Silent(), draw)
    assert scorer.at_rung(Silent(), draw) == found
    assert from_json(Scores, to_json(found), "scores") == found
    assert scorer.draws_at_rungs


def test_adherence_counts_what_is_stated_and_read() -> None:
    facts = torch.tensor([[0, 1, -1], [2, -1, -1], [1, 1, 3]])  # six facts, of which the second image's is misread
    readings = torch.tensor([[0, 1, 7], [1, 0, 0], [1, 1, 3]])
    assert adherence(readings, facts).value == pytest.approx(5 / 6)
    assert adherence(facts, facts) == (1, 0)


def test_the_classifiers_accuracy_is_known(prepared: Prepared) -> None:
    assert (proxy_scorer(prepared, SETTINGS).reader_accuracy or 0) > 0.95


class Brightness(ImageMetric):
    """The mean pixel."""

    def lacks(self, conditions: Conditions) -> str | None:
        return None

    def judge(self, judges: Judges) -> str:
        return "pixels"

    def score(self, drawn: DrawnImages) -> Statistic:
        values = drawn.images.flatten(1).mean(1).double().numpy()
        return ratio(values, np.ones_like(values))


def test_a_registered_metric_is_scored_with_the_others(
    prepared: Prepared, draw: Draws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS.entries, "brightness", Brightness())
    scores = proxy_scorer(prepared, SETTINGS).at_end(Silent(), draw).by_name
    assert scores["brightness"].label == "brightness@40 (pixels)"
    assert -1 < scores["brightness"].value < 0
    assert scores["brightness_8_steps"].value != scores["brightness"].value


def test_clip_score_is_there_with_clip(prepared: Prepared, draw: Draws, tmp_path: Path) -> None:
    save_clip(tmp_path, with_images=True)
    settings = SETTINGS.model_copy(update={"clip": str(tmp_path), "quality": "clip_score", "extractor": str(tmp_path)})
    scorer = proxy_scorer(prepared, settings)
    score, found = scorer.at_rung(Silent(), draw).quality, scorer.at_end(Silent(), draw)
    assert score.label == f"1 − clip_score@40 ({tmp_path.name})"
    assert score.value == 1 - found.by_name["clip_score"].value
    assert -1 <= found.by_name["clip_score"].value <= 1
    assert found.by_name["fid"].label == f"fid@40 ({tmp_path.name})"
    assert scorer.id != proxy_scorer(prepared, SETTINGS).id
    assert found.by_name["adherence"].label == "adherence@40 (digits-reader-8px)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quality": "clip_score"}, r"clip_score needs clip"),
        ({"quality": "recall", "samples": 7}, r"recall needs samples of at least 8"),
    ],
)
def test_a_quality_that_cannot_be_had_is_refused(change: dict[str, Any], message: str, prepared: Prepared) -> None:
    with pytest.raises(BadInput, match=f"^quality: {message}"):
        proxy_scorer(prepared, SETTINGS.model_copy(update=change))


def test_adherence_needs_facts(prepared: Prepared) -> None:
    unknown = replace(prepared.data, attributes={}, facts=torch.empty(1797, 0, dtype=torch.int64))
    with pytest.raises(BadInput, match=r"^quality: adherence needs to know what the captions state"):
        proxy_scorer(replace(prepared, data=unknown), SETTINGS.model_copy(update={"quality": "adherence"}))


def test_few_samples_leave_out_what_needs_neighbours(prepared: Prepared, draw: Draws) -> None:
    few = SETTINGS.model_copy(update={"samples": 7, "score_steps": ()})
    found = proxy_scorer(prepared, few).at_end(Silent(), draw)
    assert [name for name in found.by_name if not name.startswith("val_loss")] == ["fid", "kid", "adherence"]
