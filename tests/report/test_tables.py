"""Tables of the report, compared with pandas and worked by hand."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archlab.report import write_report
from archlab.report.front_table import front_table
from archlab.report.tables import to_csv, to_latex, to_markdown


def test_front_table_marks_picks_and_compares_with_the_baseline(make_study: Any) -> None:
    study = make_study(samples=False)
    numbers = [int(n) for n in study.front["trial"]]
    table: Any = front_table(study, {"fastest": numbers[0], "knee": numbers[1]})
    assert list(table["trial"]) == numbers
    assert list(table["pick"])[:3] == ["fastest", "knee", ""]
    latency = study.front["latency_ms"].iloc[0]
    assert table["vs baseline (%)"].iloc[0] == pytest.approx(100 * (latency / 26.4 - 1), abs=0.05)
    assert "vs baseline (%)" not in front_table(replace(study, baseline={}))


def test_each_device_heads_its_columns_and_estimates_are_marked(two_devices: Any) -> None:
    table: Any = front_table(two_devices).set_index("trial")
    assert {"latency (ms, tflite)", "latency p90 (ms, tflite)", "latency (ms, pixel8)"} <= set(table)
    assert [kind == "estimated" for kind in table["latency (kind, pixel8)"]] == [n % 2 == 1 for n in table.index]
    assert "latency (kind, tflite)" not in table  # all were measured


def test_trials_csv_reads_back_equal(make_study: Any, tmp_path: Path) -> None:
    study = make_study(samples=False)
    write_report(study, tmp_path / "report")
    back: Any = pd.read_csv(tmp_path / "report" / "trials.csv", keep_default_na=False, na_values=[""])
    assert set(back) == set(study.trials)
    for name in ("latency_ms", "quality", "params_m", "fid"):
        np.testing.assert_allclose(back[name], study.trials[name].astype(float))
    assert list(back["reason"].fillna("")) == list(study.trials["reason"].fillna(""))


def test_markdown_and_latex_escape_what_would_break_them() -> None:
    table = pd.DataFrame({"a|b": ["x | y", "50 % & _z_"], "Δ n": [1234.5678, np.nan]})
    assert to_markdown(table) == (
        "| a\\|b | Δ n |\n| :-- | --: |\n| x \\| y | 1235 |\n| 50 % & _z_ |  |\n"
    )  # fmt: skip
    latex = to_latex(table)
    assert r"50 \% \& \_z\_" in latex
    assert r"$\Delta$ n" in latex
    assert r"\begin{tabular}{lr}" in latex
    assert latex.isascii()


def test_csv_keeps_full_precision() -> None:
    table = pd.DataFrame({"n": [0.1234567890123, np.nan]})
    assert pd.read_csv(io.StringIO(to_csv(table)), skip_blank_lines=False)["n"].iloc[0] == 0.1234567890123
