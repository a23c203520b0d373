"""What a control is tied to."""

from dataclasses import replace

from archlab.architecture import Block, preset
from archlab.architecture.way_down import way_down_id, way_down_in_words

BASE = preset("bk_sdm_base")


def test_a_student_and_another_way_up_take_the_same_control() -> None:
    stages = tuple(replace(stage, up=(Block(conv="separable"),)) for stage in BASE.stages)
    for alike in (replace(BASE, guidance_dim=256, sample_size=32), replace(BASE, stages=stages)):
        assert way_down_id(alike) == way_down_id(BASE)
        assert alike.id != BASE.id


def test_other_blocks_middles_and_widths_do_not() -> None:
    others = [preset(name) for name in ("sd15", "bk_sdm_small", "bk_sdm_tiny", "mobilediffusion")]
    others += [BASE.scaled(width=0.5), replace(BASE, middle=BASE.middle[:1])]
    assert len({way_down_id(spec) for spec in (BASE, *others)}) == 1 + len(others)


def test_it_is_said_in_words() -> None:
    assert way_down_in_words(preset("bk_sdm_small")) == (
        "latents of 4 channels, stages of 320, 640, 1280 and 1280 channels with 1, 1, 1 and 1 blocks, no middle"
    )
