"""Which block is which, in cases worked by hand from the papers' drawings."""

from dataclasses import replace

from archlab.architecture import layout, match, preset
from archlab.space import KNOBS


def test_an_architecture_matches_itself() -> None:
    spec = preset("sd15")
    assert match(spec, spec) == {node.name: node.name for node in layout(spec)}


def test_bk_sdm_keeps_the_outer_two_up_blocks() -> None:
    """BK-SDM (arXiv 2305.15798, section 3) drops the second block of each down stage and the middle one of each up."""
    found = match(preset("sd15"), preset("bk_sdm_base"))
    assert found["down.1.0"] == "down.1.0"
    assert found["up.1.0"] == "up.1.0"
    assert found["up.1.1"] == "up.1.2"
    assert found["middle.1"] == "middle.1"
    assert "down.1.1" not in found


def test_a_removed_stage_and_middle_match_nothing() -> None:
    found = match(preset("sd15"), preset("bk_sdm_tiny"))
    assert set(found.values()) == {
        *("conv_in", "conv_out", "downsample.0", "downsample.1", "upsample.1", "upsample.2"),
        *(f"{side}.{stage}.{k}" for stage in range(3) for side, k in (("down", 0), ("up", 0), ("up", 2))),
    }


def test_one_block_a_side_keeps_the_first_of_each() -> None:
    spec = preset("sd15")
    found = match(spec, KNOBS["res_blocks"].apply(spec, "1/1"))
    assert (found["down.2.0"], found["up.2.0"]) == ("down.2.0", "up.2.0")


def test_stages_match_by_resolution_not_by_number() -> None:
    spec = preset("sd15")
    outermost_gone = replace(
        spec,
        sample_size=32,
        stages=(replace(spec.stages[1], upsample=None), *spec.stages[2:]),
    )
    # Relative to its own latent: what was stage 1 is now at full resolution.
    assert match(spec, outermost_gone)["down.0.0"] == "down.0.0"


def test_two_stages_at_one_resolution_match_in_order() -> None:
    found = match(preset("sd15"), preset("mobilediffusion"))
    assert found["down.2.0"] == "down.2.0"
    assert "down.3.0" not in found
