"""What a drawing shows, in cases worked by hand from the papers' layouts."""

from dataclasses import replace
from pathlib import Path

import pytest

from archlab.architecture import Block, Transformer, UNetSpec, layout, map_blocks, map_transformers, preset, presets
from archlab.cost import count
from archlab.drawing import Amount, DrawingInfo, Subject, drawing_info, levels, text_drawing
from archlab.space import load_space

SPACE = Path(__file__).parents[2] / "search_spaces" / "mobilediffusion.yaml"


def compared(before: UNetSpec, after: UNetSpec) -> DrawingInfo:
    return drawing_info(Subject("after", after), Subject("before", before))


def names(info: DrawingInfo, status: str) -> set[str | None]:
    return {cell.before or cell.after for cell in info.blocks if cell.status == status}


def test_bk_sdm_base_lost_one_block_of_every_side_of_every_stage() -> None:
    """arXiv 2305.15798, section 3.2: the second block of each down stage, the middle one of each up stage."""
    info = compared(preset("sd15"), preset("bk_sdm_base"))
    assert names(info, "removed") == {f"{block}" for i in range(4) for block in (f"down.{i}.1", f"up.{i}.1")}
    assert info.counts == {"removed": 8, "kept": 14}
    assert [(cell.before, cell.after) for cell in info.rows[0].up] == [
        ("up.0.0", "up.0.0"),
        ("up.0.1", None),
        ("up.0.2", "up.0.1"),
    ]
    # down.0 now feeds the block that down.1 fed; the input's skip stays.
    assert set(info.rows[0].skips) == {(0, 0, "added"), (1, 0, "removed"), (0, 1, "removed"), (None, 2, "kept")}


def test_bk_sdm_tiny_lost_the_innermost_stage_and_the_middle_too() -> None:
    info = compared(preset("sd15"), preset("bk_sdm_tiny"))
    innermost = {f"{side}.3.{k}" for side, blocks in (("down", 2), ("up", 3)) for k in range(blocks)}
    assert names(info, "removed") == innermost | {"middle.0", "middle.1"} | {
        f"{side}.{stage}.1" for side in ("down", "up") for stage in range(3)
    }
    assert [row.status for row in info.rows] == ["kept", "kept", "kept", "removed"]
    assert info.rows[2].downsample is not None
    assert info.rows[2].downsample.status == "removed"


def test_mobilediffusion_changed_its_blocks_in_these_words() -> None:
    info = compared(preset("sd15"), preset("mobilediffusion"))
    assert [(row.status, row.size) for row in info.rows] == [
        ("kept", (64, 64)), ("kept", (32, 32)), ("kept", (16, 16)), ("added", (None, 16)), ("removed", (8, None)),
    ]  # fmt: skip
    assert names(info, "changed") == {f"{s}.{i}.0" for s in ("down", "up") for i in range(3)} | {"middle.0", "middle.1"}
    outermost, crossing, middle = info.rows[0].down[0], info.rows[1].down[0], info.middle.down[0]
    assert outermost.changes == ("depth 1→0",)
    assert {mark.status for mark in outermost.marks} == {"removed"}
    assert crossing.changes == ("conv standard→separable",)
    assert [(mark.kind, mark.status, mark.changes) for mark in crossing.marks] == [
        ("SA", "removed", ()),
        ("CA", "changed", ("softmax→relu (finetuned)", "8→10 heads")),
        ("FF", "changed", ("8→6", "gelu→swish")),
    ]
    assert middle.changes == ("conv standard→separable", "1280→1024", "depth 1→13")
    assert middle.marks[0].changes == ("K=V", "softmax→relu (finetuned)", "8→16 heads")
    assert middle.depth == middle.marks[0].number == 13


def test_one_architecture_is_drawn_with_everything_kept() -> None:
    spec = preset("sdxl")
    info = drawing_info(Subject("sdxl", spec))
    assert not info.compares
    assert info.is_unchanged
    assert info.middle.down[0].depth == 10
    assert [cell.after for cell in info.rows[0].down] == ["down.0.0", "down.0.1"]
    assert info.totals[0].amount.after == pytest.approx(2567.463684)
    macs = {part.name: part.macs / 1e9 for part in count(spec).by_block}
    assert all(cell.cost == (macs[cell.after or ""],) * 2 for cell in info.cells)


def test_milliseconds_are_shown_where_they_are_known() -> None:
    spec = preset("tiny")
    info = drawing_info(Subject("tiny", spec, {"down.0.0": 1.5, "middle.0": 0.5}))
    assert info.unit == "ms"
    assert info.rows[0].down[0].cost == (1.5, 1.5)
    assert info.rows[1].down[0].cost == Amount(None, None)
    assert info.totals[-1] == ("latency, sum of parts", "ms", (2.0, 2.0))


def test_skips_of_stable_diffusion_run_level() -> None:
    (top, *_, bottom) = levels(drawing_info(Subject("sd15", preset("sd15"))).rows[0])
    assert (top.down, top.is_input, top.skip) == (None, True, "kept")
    assert bottom.down is not None
    assert bottom.up is not None
    assert (bottom.down.after, bottom.up.after) == ("down.0.1", "up.0.0")


CHANGED: dict[str, Transformer] = {
    "SA K=V": Transformer(heads=4, kv_sharing="self"),
    "  K=V": Transformer(heads=4, kv_sharing="all"),
    "softmax→relu": Transformer(heads=4, attention_normalizer="relu"),
    "FF 8→6": Transformer(heads=4, ff_ratio=6),
    "FF gated→not gated": Transformer(heads=4, ff_gated=False),
    "4→8 heads": Transformer(heads=8),
}


@pytest.mark.parametrize("words", CHANGED)
def test_a_changed_attribute_is_said_in_the_text(words: str) -> None:
    before = preset("tiny")
    after = replace(before, middle=(Block(transformers=(CHANGED[words],)), before.middle[1]))
    info = compared(before, after)
    assert names(info, "changed") == {"middle.0"}
    said = text_drawing(info).plain.replace("\N{NO-BREAK SPACE}", " ").replace(" · ", " ")
    assert words in said


def test_stacks_whose_transformers_differ_are_compared_in_order() -> None:
    full, narrow, no_text = (
        Transformer(heads=4),
        Transformer(heads=4, ff_ratio=6),
        Transformer(heads=4, cross_attention=False),
    )

    def middle(*transformers: Transformer) -> UNetSpec:
        return replace(preset("tiny"), middle=(Block(transformers=transformers),))

    cell = compared(middle(full, full), middle(full, narrow)).middle.down[0]
    assert cell.marks[2].changes == ("8→8 6",)
    cell = compared(middle(full, full), middle(full, no_text)).middle.down[0]
    assert (cell.marks[1].status, cell.marks[1].number) == ("changed", 1)
    cell = compared(middle(full, no_text), middle(no_text, full)).middle.down[0]
    assert cell.changes == ("transformers in another order",)


@pytest.mark.parametrize("before", presets())
def test_every_pair_of_presets_shows_each_block_of_both_once(before: str) -> None:
    for after in presets():
        check(preset(before), preset(after))


def test_sampled_architectures_show_each_block_of_both_once() -> None:
    space = load_space(SPACE)
    for seed in range(100):
        check(space.baseline, space.sample(seed))


def check(before: UNetSpec, after: UNetSpec) -> None:
    info = compared(before, after)
    for side, spec in enumerate((before, after)):
        drawn = sorted(name for cell in info.cells if (name := (cell.before, cell.after)[side]) is not None)
        assert drawn == sorted(node.name for node in layout(spec) if not node.name.startswith("conv_"))
        skips = sum(skip.status != ("added", "removed")[side] for row in info.rows for skip in row.skips)
        assert skips == sum(node.skip_from is not None for node in layout(spec))
    assert info.is_unchanged == (before.id == after.id)
    assert max(map(len, text_drawing(info).plain.splitlines())) <= 120


def test_attributes_without_effect_are_no_change() -> None:
    spec = map_transformers(preset("tiny"), lambda t, _: replace(t, self_attention=False))
    same = map_transformers(spec, lambda t, _: replace(t, kv_sharing="self"))
    assert compared(spec, same).is_unchanged
    assert compared(spec, map_blocks(spec, lambda b, _: replace(b, conv="separable"))).counts == {"changed": 11}
