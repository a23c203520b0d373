"""A latency in one line and as a table: an estimate never looks measured, noise never quiet."""

from dataclasses import replace

from archlab.evaluation import Estimate
from tests.made_up_facts import measured


def test_what_is_shown_says_how_it_came_about() -> None:
    quiet = measured(5.0)
    assert repr(quiet).startswith("<Latency 5 ms (5 to 5), measured")
    noisy = replace(quiet, noise="a backup ran")
    assert repr(noisy).endswith(", noisy>")
    assert "a backup ran" in noisy._repr_html_()
    band = Estimate(median_ms=5.0, low_ms=4.0, high_ms=6.0, provenance={"kind": "estimated", "device": "<phone>"})
    assert repr(band) == "<Estimate ≈ 5 ms (4 to 6), estimated on <phone>>"
    assert "&lt;phone&gt;" in band._repr_html_()
