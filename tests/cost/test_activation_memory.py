"""The largest moment by hand: skips waiting, one operator's inputs and outputs, the residual kept aside; fp32."""

from typing import get_args

import pytest

from archlab.architecture import Block, Stage, Transformer, UNetSpec, preset, presets
from archlab.architecture.parts import Normalizer
from archlab.cost import count

PIXELS = 4 * 4
BYTES = 4


def one_stage(*transformers: Transformer, down: int = 1, up: int = 1) -> UNetSpec:
    """8 channels at 4 × 4 pixels; the transformers sit in the down blocks."""
    return UNetSpec(
        sample_size=4,
        norm_groups=4,
        context_dim=8,
        context_length=2,
        stages=(
            Stage(
                channels=8,
                down=(Block(transformers=transformers),) * down,
                up=(Block(),) * up,
            ),
        ),
        middle=(),
    )


def bytes_of(spec: UNetSpec, part: str) -> int:
    return next(p.activation_bytes for p in count(spec).by_block if p.name == part)


def test_convolutions_in_and_out_are_their_inputs_and_outputs() -> None:
    # conv_in: 4 channels in, 8 out, no skip is kept of it. conv_out: 8 in, 4 out; its norm before: 8 in, 8 out.
    assert bytes_of(one_stage(), "conv_in") == (4 + 8) * PIXELS * BYTES
    assert bytes_of(one_stage(), "conv_out") in ((8 + 4) * PIXELS * BYTES, (8 + 8) * PIXELS * BYTES)


def test_residual_block_of_equal_width() -> None:
    # Every operator of it: the residual 8, its input 8, its output 8.
    assert bytes_of(one_stage(), "down.0.0") == 3 * 8 * PIXELS * BYTES


def test_residual_block_behind_a_skip() -> None:
    # Input and skip make 16 channels. SiLU, nothing in place: the residual 16, its input 16, its output 16.
    assert bytes_of(one_stage(), "up.0.0") == 3 * 16 * PIXELS * BYTES


def test_waiting_skips_are_counted_once() -> None:
    # Two down blocks, two up: the first down block's output waits for the last up block, and is the second's input.
    # down.0.1: residual (which is that skip) 8, operator's input 8 and output 8. up.0.0: 8 waits, 16 behind its skip.
    spec = one_stage(down=2, up=2)
    assert bytes_of(spec, "down.0.0") == 3 * 8 * PIXELS * BYTES
    assert bytes_of(spec, "down.0.1") == 3 * 8 * PIXELS * BYTES
    assert bytes_of(spec, "up.0.0") == (8 + 3 * 16) * PIXELS * BYTES
    assert bytes_of(spec, "up.0.1") == 3 * 16 * PIXELS * BYTES


@pytest.mark.parametrize("normalizer", get_args(Normalizer))
def test_self_attention_holds_the_scores_twice(normalizer: Normalizer) -> None:
    # 8 heads of one channel: the scores are 8 × 16 × 16. The normaliser reads them and writes them, while the values
    # (8 × 16), the stack's residual and the transformer's (8 × 16 each) are kept.
    spec = one_stage(Transformer(heads=8, cross_attention=False, ff_ratio=0, attention_normalizer=normalizer))
    assert bytes_of(spec, "down.0.0") == (2 * 8 * PIXELS * PIXELS + 3 * 8 * PIXELS) * BYTES


def test_feed_forward_holds_both_halves_and_the_hidden_layer() -> None:
    # 8 → 64 → gate → 32. The product reads 32 and 32 and writes 32; two residuals of 8.
    spec = one_stage(Transformer(heads=1, self_attention=False, cross_attention=False))
    assert bytes_of(spec, "down.0.0") == (3 * 32 + 2 * 8) * PIXELS * BYTES


@pytest.mark.parametrize("name", presets())
def test_memory_grows_with_the_sample(name: str) -> None:
    sizes = (16, 32, 64, 128)
    costs = [count(preset(name).scaled(sample_size=size)) for size in sizes]
    memories = [cost.activation_bytes for cost in costs]
    assert memories == sorted(set(memories))
    assert len({cost.params for cost in costs}) == 1


@pytest.mark.parametrize("name", presets())
def test_peak_is_the_largest_part(name: str) -> None:
    cost = count(preset(name))
    assert cost.activation_bytes == max(part.activation_bytes for part in cost.by_block)
    assert all(part.activation_bytes > 0 for part in cost.by_block)


def test_stable_diffusions_peak_is_self_attention_at_full_resolution() -> None:
    cost = count(preset("sd15"))
    peak = max(cost.by_block, key=lambda part: part.activation_bytes)
    assert peak.name.split(".")[:2] in (["down", "0"], ["up", "0"])
    # The scores alone: 8 heads × 4096 × 4096 in fp32.
    assert cost.activation_bytes > 8 * 4096 * 4096 * BYTES
