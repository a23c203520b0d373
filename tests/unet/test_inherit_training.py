"""Inheriting pays: training goes on from inherited weights, and the benchmark that shows it runs."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from archlab.architecture import preset
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.proxy.training import train
from archlab.scores.validation import ValidationLoss
from archlab.unet import build
from archlab.unet.inheritance.methods import Methods
from benchmarks import inheritance


def test_training_starts_from_the_given_weights_and_leaves_them() -> None:
    settings = ProxySettings(
        data="digits", scale=Scale(width=0.1, sample_size=8), rungs=(1,), batch_size=2, learning_rate=1e-12
    )
    prepared = prepare_proxy(settings)
    score = ValidationLoss(prepared, settings)
    start = build(proxy_spec(preset("tiny"), settings))
    before = {name: weight.clone() for name, weight in start.state_dict().items()}
    trained = train(start.spec, prepared, settings, seed=5, score=score, start=start)
    assert trained.rungs[1] == pytest.approx(score(start), rel=1e-5)
    assert all(torch.equal(weight, before[name]) for name, weight in start.state_dict().items())


def test_the_benchmark_runs_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    bench = inheritance.Bench(inheritance.Budget(parent_steps=40, steps=4, seeds=1), tmp_path)
    changes = [("ff_ratio", 4), ("channels", (64, 96, 128))]
    ways = [inheritance.Way(("kv_sharing", "all"), "mean", Methods(sharing="mean"))]
    first = inheritance.run(bench, changes[:1], ways)
    assert first["paired_runs"] == 1
    assert first["ours"] < first["theirs"]
    rows = (tmp_path / "inheritance.csv").read_text()
    assert inheritance.run(bench, changes, ways)["paired_runs"] == 2
    assert (tmp_path / "inheritance.csv").read_text().startswith(rows)
    table = pd.read_csv(tmp_path / "inheritance.csv")
    assert (table["inherited_at_0"] < table["random_at_0"]).all()
    assert list(table["value"]) == ["4", "64 96 128"]
    assert "| ff_ratio | 4 |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "inheritance.png").stat().st_size > 10_000
