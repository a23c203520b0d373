"""Three counters written elsewhere agree with the formulas, or it is said why not."""

import sys
from dataclasses import replace

import pytest

from archlab.architecture import AddedConditioning, UNetSpec, map_transformers, preset
from archlab.cost import Cost, count
from archlab.errors import MissingExtra
from archlab.space import KNOBS
from archlab.unet import counters


def odd() -> UNetSpec:
    """Separable, with shared keys and values, some attention by relu, and added conditioning."""
    spec = KNOBS["conv"].apply(preset("tiny").scaled(width=0.25, sample_size=16), "separable")
    spec = map_transformers(spec, lambda t, place: replace(t, attention_normalizer="relu") if place else t)
    spec = KNOBS["ff_ratio"].apply(KNOBS["kv_sharing"].apply(spec, "all"), 2.6)
    return replace(spec, added=AddedConditioning(text_dim=16, time_dim=8))


def relu() -> UNetSpec:
    """All attention as it is finetuned, without a middle or cross-attention."""
    spec = KNOBS["attention_normalizer"].apply(preset("tiny").scaled(sample_size=16), "softmax->relu")
    return replace(KNOBS["cross_attention"].apply(spec, "none"), middle=())


@pytest.mark.parametrize("spec", [preset("tiny"), odd(), relu()], ids=["tiny", "odd", "relu"])
def test_every_difference_is_explained_to_the_last_mac(spec: UNetSpec) -> None:
    pytest.importorskip("fvcore")
    pytest.importorskip("thop")
    rows = counters.check(spec)
    cost = count(spec)
    assert [row for row in rows if row.unexplained] == []
    for tool in ("fvcore", "thop", "torch"):
        of_tool = [row for row in rows if row.tool == tool]
        assert sum(row.ours for row in of_tool) == cost.macs
        assert {row.operators for row in of_tool if row.theirs == row.ours} >= {"convolutions", "linear layers"}
    assert {row.operators for row in rows if row.tool == "torch" and row.difference} == set()
    normalised = {row.operators for row in rows if row.tool == "fvcore" and row.explained > 0}
    assert normalised == {"group_norm", "layer_norm", "upsample_nearest2d"}


def test_sd15_on_the_meta_device() -> None:
    pytest.importorskip("thop")
    rows = counters.check(preset("sd15"), ("thop", "torch"))  # fvcore takes a whole pass on the CPU
    assert [(row.tool, row.theirs) for row in rows if row.operators == "attention products"] == [
        ("thop", 0),
        ("torch", 63_026_135_040),
    ]
    assert sum(row.theirs for row in rows if row.tool == "thop") == 338_610_585_600
    assert not any(row.unexplained for row in rows)


def test_a_wrong_formula_is_not_explained_away() -> None:
    pytest.importorskip("fvcore")
    pytest.importorskip("thop")

    def wrong(spec: UNetSpec) -> Cost:
        right = count(spec)
        return replace(right, macs=right.macs + 7)

    rows = counters.check(relu(), formula=wrong)
    unexplained = {row.tool: row.unexplained for row in rows if row.operators == "attention products"}
    assert unexplained["torch"] == -7


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fvcore.nn", None)
    with pytest.raises(MissingExtra, match=r"check of the cost formulas needs .*pip install archlab$"):
        counters.check(preset("tiny"))
