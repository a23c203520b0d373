"""The comparison's files, read back and opened in a browser."""

import json
import re
from pathlib import Path

import pandas as pd
from PIL import Image

from archlab.analysis.compare import compare
from archlab.report.compare import compare_info, write_comparison
from tests.report.browser import screenshot
from tests.study.made_up import write_study


def test_comparison_shows_every_trial_and_whose_front_it_is(tmp_path: Path, browser: str) -> None:
    comparison = compare([write_study(tmp_path, name, statuses="failed") for name in ("a", "b b")])
    info = compare_info(comparison)
    assert sum(len(each.front) + len(each.dominated) for each in info.series) == len(comparison.trials)
    assert [(point.cost, point.quality) for point in info.staircase] == [
        (row["macs_g"], row["quality"]) for _, row in comparison.front.drop_duplicates(comparison.objectives).iterrows()
    ]
    index = write_comparison(comparison, tmp_path / "report")
    back = pd.read_csv(index.parent / "front.csv")
    assert list(zip(back["study"], back["trial"], strict=True)) == list(
        zip(comparison.front["study"], comparison.front["trial"], strict=True)
    )
    assert {"knee", "best"} <= set(", ".join(back["pick"].dropna()).split(", "))
    assert pd.read_csv(index.parent / "studies.csv")["on the front"].sum() == len(comparison.front)
    with Image.open(index.parent / "compare.png") as image:
        assert image.size == (1680, 1080)
    text = index.read_text()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data
    traces = json.loads(data.group(1))["figures"]["front"]["data"]
    assert sum(len(trace["x"]) for trace in traces[1:]) == len(comparison.trials)
    page = screenshot(browser, index.resolve().as_uri(), tmp_path / "page.png")
    assert 'class="main-svg"' in page
    assert "b b (" in page


def test_a_network_that_both_studies_found_counts_for_both(tmp_path: Path) -> None:
    studies = [write_study(tmp_path, name) for name in ("a", "b")]
    studies[1].records = studies[0].records
    index = write_comparison(compare(studies), tmp_path / "report")
    found = len(pd.read_csv(index.parent / "front.csv"))
    assert f"are on the front over all studies: {found} of a, {found} of b." in index.read_text()
