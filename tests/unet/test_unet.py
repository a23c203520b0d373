import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from archlab.architecture import AddedConditioning, Block, Node, Stage, UNetSpec, layout, map_transformers
from archlab.architecture.parts import Normalizer
from archlab.cost import count
from archlab.unet import UNet, build, set_attention_normalizer
from archlab.unet.blocks import ResidualBlock
from archlab.unet.time_embedding import sinusoids
from archlab.unet.transformer import Attention


def run(unet: UNet, batch: int = 2, tokens: int | None = None, **more: Any) -> Tensor:
    spec = unet.spec
    source = torch.Generator().manual_seed(1)
    sample = torch.randn(batch, spec.in_channels, spec.sample_size, spec.sample_size, generator=source)
    context = torch.randn(batch, tokens or spec.context_length, spec.context_dim, generator=source)
    steps = torch.linspace(0, 999, batch)
    out: Tensor = unet(sample, steps, context, **more)
    assert out.shape == (batch, spec.out_channels, spec.sample_size, spec.sample_size)
    return out


def assert_gradients_are_finite(unet: UNet, **more: Any) -> None:
    torch.autograd.backward(run(unet, **more).square().mean())
    for name, parameter in unet.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_every_parameter_gets_a_finite_gradient(small: UNetSpec) -> None:
    unet = build(small)
    assert_gradients_are_finite(unet)
    assert unet.training
    # Random weights, so none is exactly zero all over.
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in unet.parameters())


@pytest.mark.parametrize("tokens", [1, 5, 77, 200])
def test_any_number_of_tokens_is_taken(tokens: int, small: UNetSpec) -> None:
    assert run(build(small), tokens=tokens).isfinite().all()


def test_one_sample_does_not_see_the_other(small: UNetSpec) -> None:
    unet = build(small).eval()
    sample, steps, context = torch.randn(3, 4, 8, 8), torch.tensor([1.0, 400.0, 999.0]), torch.randn(3, 6, 24)
    with torch.no_grad():
        together = unet(sample, steps, context)
        alone = torch.cat([unet(sample[i : i + 1], steps[i : i + 1], context[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_sample_size_may_differ_from_the_specs(small: UNetSpec) -> None:
    out = build(small)(torch.randn(1, 4, 12, 16), torch.ones(1), torch.randn(1, 3, 24))
    assert out.shape == (1, 4, 12, 16)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_run(dtype: torch.dtype, small: UNetSpec) -> None:
    unet = build(small).to(dtype)
    out = unet(torch.randn(1, 4, 8, 8, dtype=dtype), torch.ones(1), torch.randn(1, 3, 24, dtype=dtype))
    assert out.dtype == dtype


def test_missing_added_conditioning_is_an_error(small: UNetSpec) -> None:
    unet = build(replace(small, added=AddedConditioning(text_dim=8, time_ids=6, time_dim=4)))
    with pytest.raises(ValueError, match=r"text_embeds.*time_ids"):
        run(unet)
    added = {"text_embeds": torch.randn(2, 8), "time_ids": torch.ones(2, 6)}
    assert_gradients_are_finite(unet, added=added)


def test_added_conditioning_changes_the_output(small: UNetSpec) -> None:
    unet = build(replace(small, added=AddedConditioning(text_dim=8, time_ids=6, time_dim=4))).eval()
    added = {"text_embeds": torch.zeros(2, 8), "time_ids": torch.ones(2, 6)}
    with torch.no_grad():
        one = run(unet, added=added)
        assert not torch.equal(one, run(unet, added=added | {"text_embeds": torch.ones(2, 8)}))
        assert not torch.equal(one, run(unet, added=added | {"time_ids": torch.zeros(2, 6)}))


@pytest.mark.parametrize("counts", [(1, 1), (1, 4), (3, 1), (2, 3)])
def test_stage_that_keeps_the_resolution(counts: tuple[int, int], small: UNetSpec) -> None:
    down, up = counts
    block = small.stages[0].down[0]
    flat = Stage(channels=16, down=(block,) * down, up=(block,) * up)
    spec = replace(small, stages=(flat, small.stages[0], small.stages[1]))
    unet = build(spec)
    assert_gradients_are_finite(unet)
    assert sum(parameter.numel() for parameter in unet.parameters()) == count(spec).params


def test_skips_come_from_where_the_layout_says(small: UNetSpec) -> None:
    """Every up block is handed the output that the layout's last-in, first-out order names."""
    unet = build(small).eval()
    outputs: dict[str, Tensor] = {}
    taken: dict[str, str] = {}
    for node in layout(small):
        unet.get_submodule(node.name).register_forward_hook(
            lambda _module, _args, out, name=node.name: outputs.update({name: out})
        )
        if node.kind == "block" and node.name.startswith("up."):
            unet.get_submodule(node.name).register_forward_pre_hook(
                lambda _module, args, name=node.name: taken.update(
                    {name: next(other for other, out in outputs.items() if out is args[3])}
                )
            )
    with torch.no_grad():
        run(unet)
    assert taken == {
        "up.1.0": "down.1.1",
        "up.1.1": "down.1.0",
        "up.1.2": "downsample.0",
        "up.0.0": "down.0.1",
        "up.0.1": "down.0.0",
        "up.0.2": "conv_in",
    }


def test_without_transformers_the_text_has_no_effect(small: UNetSpec) -> None:
    stages = tuple(replace(stage, down=(Block(),), up=(Block(),)) for stage in small.stages)
    unet = build(replace(small, stages=stages, middle=())).eval()
    sample, steps = torch.randn(1, 4, 8, 8), torch.ones(1)
    with torch.no_grad():
        outs = [unet(sample, steps, torch.randn(1, 3, 24)) for _ in range(2)]
        other_step = unet(sample, 500 * steps, torch.randn(1, 3, 24))
    assert torch.equal(*outs)
    assert not torch.equal(outs[0], other_step)


def test_normalizer_is_switched_only_where_declared(small: UNetSpec) -> None:
    def by_stage(transformer: Any, place: int) -> Any:
        return replace(transformer, attention_normalizer=("softmax", "softmax->relu", "relu")[place])

    def normalizers(unet: UNet) -> list[set[str]]:
        places = (unet.down[0], unet.down[1], unet.middle)
        return [{m.normalizer for m in place.modules() if isinstance(m, Attention)} for place in places]

    unet = build(map_transformers(small, by_stage))
    assert normalizers(unet) == [{"softmax"}, {"relu"}, {"relu"}]
    set_attention_normalizer(unet, "softmax")
    assert normalizers(unet) == [{"softmax"}, {"softmax"}, {"relu"}]
    set_attention_normalizer(unet, "relu")
    assert normalizers(unet) == [{"softmax"}, {"relu"}, {"relu"}]


def test_trained_with_softmax_it_computes_what_the_softmax_network_does(small: UNetSpec) -> None:
    def unet_with(normalizer: Normalizer) -> UNet:
        return build(map_transformers(small, lambda t, _: replace(t, attention_normalizer=normalizer))).eval()

    softmax, relu, both = unet_with("softmax"), unet_with("relu"), unet_with("softmax->relu")
    for unet in (relu, both):
        unet.load_state_dict(softmax.state_dict())
    with torch.no_grad():
        assert torch.equal(run(both), run(relu))
        set_attention_normalizer(both, "softmax")
        assert torch.equal(run(both), run(softmax))
        assert not torch.equal(run(relu), run(softmax))


def test_residual_block_is_written_out_as_published() -> None:
    """norm, SiLU, conv, plus projected time, norm, SiLU, conv, plus the shortcut."""
    block = ResidualBlock(Node("up.0.0", "block", 8, 32, 16, skip_channels=16), time_dim=64, norm_groups=4)
    x, time = torch.randn(1, 48, 8, 8), torch.randn(1, 64)
    w = block.state_dict()
    with torch.no_grad():
        h = F.conv2d(F.silu(F.group_norm(x, 4)), w["conv1.weight"], w["conv1.bias"], padding=1)
        h = h + (w["time_projection.weight"] @ F.silu(time[0]) + w["time_projection.bias"])[None, :, None, None]
        h = F.conv2d(F.silu(F.group_norm(h, 4)), w["conv2.weight"], w["conv2.bias"], padding=1)
        expected = h + F.conv2d(x, w["shortcut.weight"], w["shortcut.bias"])
        torch.testing.assert_close(block(x, time), expected, rtol=1e-4, atol=1e-5)


def test_sinusoids_by_hand() -> None:
    # dim 4: frequencies 1 and 10000^(−1/2) = 0.01; cosines first.
    expected = [math.cos(3), math.cos(0.03), math.sin(3), math.sin(0.03)]
    assert sinusoids(torch.tensor([3.0]), 4)[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert sinusoids(torch.tensor([3]), 4)[0].tolist() == pytest.approx(expected, abs=1e-6)
