"""What a child has from its parent: the function where that can be kept, known optima where it cannot."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from archlab.architecture import AddedConditioning, Block, UNetSpec, map_blocks, map_transformers, preset, presets
from archlab.cost import count
from archlab.errors import BadInput
from archlab.proxy.evaluate import proxy_spec
from archlab.space import KNOBS
from archlab.study import load_definition
from archlab.unet import UNet, build, inherit
from archlab.unet.blocks import SeparableConv
from archlab.unet.inheritance.kernels import rank_one
from archlab.unet.transformer import Attention, FeedForward, TransformerBlock

SPACE = Path(__file__).parents[2] / "search_spaces" / "quickstart.yaml"
Batch = tuple[Tensor, Tensor, Tensor]


def batch(spec: UNetSpec, samples: int = 4) -> Batch:
    source = torch.Generator().manual_seed(1)
    sample = torch.randn(samples, spec.in_channels, spec.sample_size, spec.sample_size, generator=source)
    return sample, torch.linspace(0, 999, samples), torch.randn(samples, 5, spec.context_dim, generator=source)


@torch.no_grad()
def distance(unet: UNet, other: UNet) -> float:
    """Relative distance of two networks' outputs."""
    inputs = batch(other.spec)
    wanted = other(*inputs)
    return ((unet(*inputs) - wanted).norm() / wanted.norm()).item()


def change(spec: UNetSpec, **knobs: Any) -> UNetSpec:
    for name, value in knobs.items():
        spec = KNOBS[name].apply(spec, value)
    return spec


def attributes(spec: UNetSpec, **values: Any) -> UNetSpec:
    return map_transformers(spec, lambda transformer, _: replace(transformer, **values))


def transformers(unet: UNet) -> list[TransformerBlock]:
    return [module for module in unet.modules() if isinstance(module, TransformerBlock)]


@pytest.mark.parametrize("calibrated", [False, True])
def test_the_same_architecture_inherits_every_weight_as_it_is(small: UNetSpec, calibrated: bool) -> None:
    parent = build(small)
    child = inherit(parent, small, [batch(small)] if calibrated else None)
    for (name, weight), inherited in zip(parent.state_dict().items(), child.state_dict().values(), strict=True):
        assert torch.equal(weight, inherited), name
    assert child.inheritance is not None
    assert child.inheritance.params == {"kept": count(small).params, "fitted": 0, "trimmed": 0, "new": 0}
    assert child.inheritance.dropped == {}
    assert parent.inheritance is None


@pytest.mark.parametrize(
    "growth",
    [
        {"ff_ratio": 12},
        {"transformers": (3, 2, 2)},
        {"res_blocks": "3/4"},
        {"res_blocks": "2/5"},
        {"channels": (32, 64)},
        {"width": 2},
        {"channels": (48, 96), "transformers": (2, 2, 2), "res_blocks": "4/5", "ff_ratio": 9},
    ],
    ids=str,
)
def test_growth_keeps_the_function_and_trains_on(small: UNetSpec, growth: dict[str, Any]) -> None:
    parent = build(small)
    child = inherit(parent, change(small, **growth), [batch(small)])
    assert distance(child, parent) < 1e-5
    assert child.inheritance is not None
    assert child.inheritance.params["new"] > 0
    before = {name: weight.clone() for name, weight in child.state_dict().items()}
    optimizer = torch.optim.Adam(child.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        torch.autograd.backward((child(*batch(small)) - 1).square().mean())
        optimizer.step()
    assert all(not torch.equal(weight, before[name]) for name, weight in child.state_dict().items())


@pytest.mark.parametrize(
    ("of_parent", "of_child"),
    [
        (lambda s: attributes(s, kv_sharing="all"), lambda s: s),
        (lambda s: attributes(s, self_attention=False), lambda s: s),
        (lambda s: attributes(s, cross_attention=False, ff_ratio=0.0), lambda s: s),
        (lambda s: map_blocks(s, lambda _, __: Block()), lambda s: s),
        (lambda s: change(s, conv="separable"), lambda s: s),
        (lambda s: attributes(s, ff_gated=False, ff_ratio=4.0), lambda s: s),
        (lambda s: s, lambda s: replace(s, in_channels=9)),
        (
            lambda s: replace(s, stages=tuple(replace(g, up=g.up[:1]) for g in s.stages)),
            lambda s: change(s, res_blocks="2/1"),
        ),
    ],
    ids=["kv", "self-attention", "cross-attention and ff", "transformers", "conv", "gate", "in_channels", "same"],
)
def test_what_the_child_has_more_changes_nothing(
    small: UNetSpec, of_parent: Callable[[UNetSpec], UNetSpec], of_child: Callable[[UNetSpec], UNetSpec]
) -> None:
    parent = build(of_parent(small))
    child = inherit(parent, of_child(small))
    sample, timestep, context = batch(parent.spec)
    padded = torch.cat([sample, torch.randn(len(sample), child.spec.in_channels - 4, 8, 8)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(
            child(padded, timestep, context), parent(sample, timestep, context), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("calibrated", [False, True])
def test_doubled_channels_narrow_to_the_network_they_came_from(small: UNetSpec, calibrated: bool) -> None:
    original = build(small)
    doubled = inherit(original, change(small, channels=(32, 64)))
    child = inherit(doubled, small, [batch(small)] if calibrated else None)
    assert distance(child, original) < 1e-4


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("calibrated", [False, True])
def test_neurons_that_give_nothing_are_trimmed_exactly(small: UNetSpec, calibrated: bool, gated: bool) -> None:
    parent = build(attributes(small, ff_gated=gated))
    with torch.no_grad():
        for block in transformers(parent):
            contract = cast(FeedForward, block.feed_forward).contract
            contract.weight[:, torch.randperm(contract.in_features)[: contract.in_features // 2]] = 0
    child = inherit(parent, attributes(small, ff_gated=gated, ff_ratio=4.0), [batch(small)] if calibrated else None)
    assert distance(child, parent) < 1e-5
    assert child.inheritance is not None
    notes = {row.note for row in child.inheritance.rows if row.tensors.endswith("feed_forward.expand")}
    assert notes == {"by replaceability" if calibrated else "by weights"}


@pytest.mark.parametrize("normalizer", ["softmax", "relu"])
@pytest.mark.parametrize("calibrated", [False, True])
def test_one_projection_is_exact_where_a_heads_keys_are_a_linear_map_of_its_values(
    small: UNetSpec, calibrated: bool, normalizer: str
) -> None:
    small = attributes(small, attention_normalizer=normalizer)
    parent = build(small)
    with torch.no_grad():
        for attention in (a for block in transformers(parent) for a in (block.self_attention, block.cross_attention)):
            assert attention is not None
            value = attention.value.weight.reshape(attention.heads, -1, attention.value.in_features)
            maps = torch.randn(attention.heads, value.shape[1], value.shape[1])
            attention.key.weight.copy_((maps @ value).flatten(0, 1))
    child = inherit(parent, attributes(small, kv_sharing="all"), [batch(small)] if calibrated else None)
    assert distance(child, parent) < 1e-3
    assert child.inheritance is not None
    shared = [row for row in child.inheritance.rows if row.tensors.endswith("key_value")]
    assert all(row.how == "fitted" and row.error is not None and row.error < 1e-3 for row in shared)
    assert len(shared) == 2 * len(transformers(parent))


def test_one_projection_is_no_worse_than_the_mean(small: UNetSpec) -> None:
    """The mean's error, by hand: the child's own attention with (W_K + W_V) / 2, on the inputs it calibrates with."""
    parent, inputs = build(small), batch(small)
    seen: list[tuple[nn.Module, Tensor]] = []
    attention = transformers(parent)[0].cross_attention
    assert attention is not None
    hook = attention.register_forward_hook(lambda module, args, out: seen.append((args[0], out)))
    parent(*inputs)
    hook.remove()
    child = inherit(parent, attributes(small, kv_sharing="all"), [inputs])
    x, wanted = seen[0]
    shared = transformers(child)[0].cross_attention
    assert shared is not None
    with torch.no_grad():
        fitted = (shared(x, inputs[2]) - wanted).norm()
        shared.load_state_dict(
            {
                "query.weight": attention.query.weight,
                "key_value.weight": (attention.key.weight + attention.value.weight) / 2,
                "out.weight": attention.out.weight,
                "out.bias": attention.out.bias,
            }
        )
        assert fitted < (shared(x, inputs[2]) - wanted).norm()


def test_separable_kernels_are_the_best_of_rank_one(small: UNetSpec) -> None:
    """For each input channel ‖K − σ₁ u₁ v₁ᵀ‖² = Σ_{i>1} σᵢ² (Eckart and Young)."""
    parent = build(small)
    child = inherit(parent, change(small, conv="separable"))
    dense = parent.get_submodule("middle.0.residual.conv2")
    separable = child.get_submodule("middle.0.residual.conv2")
    assert isinstance(dense, nn.Conv2d)
    assert isinstance(separable, SeparableConv)
    kernel = separable.pointwise.weight * separable.depthwise.weight.movedim(0, 1)
    lost = (kernel - dense.weight).square().sum((0, 2, 3))
    singular = torch.linalg.svdvals(dense.weight.flatten(2).movedim(1, 0))
    torch.testing.assert_close(lost, singular[:, 1:].square().sum(1))
    assert dense.bias is not None
    assert torch.equal(cast(Tensor, separable.pointwise.bias), dense.bias)


def test_kernels_of_rank_one_become_separable_exactly(small: UNetSpec) -> None:
    separable = build(change(small, conv="separable"))
    child = inherit(inherit(separable, small), separable.spec)
    assert distance(child, separable) < 1e-5


def test_rank_one_of_a_hand_worked_kernel() -> None:
    """Two outputs, one input: [3·e, 4·e] with e a unit tap is of rank one with pointwise ±(3, 4)."""
    kernel = torch.zeros(2, 1, 3, 3)
    kernel[:, 0, 1, 1] = torch.tensor([3.0, 4.0])
    depthwise, pointwise, error = rank_one(kernel)
    torch.testing.assert_close(depthwise.abs().flatten(), torch.eye(9)[4])
    torch.testing.assert_close(pointwise.abs().flatten(), torch.tensor([3.0, 4.0]))
    assert error < 1e-6


def test_making_up_for_dropped_channels_loses_less(small: UNetSpec) -> None:
    parent, narrow = build(small), attributes(small, ff_ratio=4.0)
    assert distance(inherit(parent, narrow, [batch(small)]), parent) < distance(inherit(parent, narrow), parent)


@pytest.mark.parametrize("first", range(0, 100, 50))
def test_sampled_architectures_inherit_from_the_baseline(first: int) -> None:
    definition = load_definition(SPACE)
    space, settings = definition.space, definition.settings.proxy
    parent = build(proxy_spec(space.baseline, settings))
    inputs = batch(parent.spec, 2)
    for seed in range(first, first + 50):
        spec = proxy_spec(space.sample(seed), settings)
        child = inherit(parent, spec, [inputs] if seed % 2 else None)
        assert child(*inputs).isfinite().all(), seed
        assert child.inheritance is not None
        assert sum(parameter.numel() for parameter in child.parameters()) == count(spec).params, seed
        assert sum(child.inheritance.params.values()) == count(spec).params, seed
        assert all(row.params > 0 for row in child.inheritance.rows), seed


@pytest.mark.parametrize("name", presets())
def test_every_preset_inherits_from_another_family(name: str) -> None:
    parent, spec = (preset(n).scaled(width=0.05, sample_size=16) for n in ("sdxl" if name == "tiny" else "tiny", name))
    child = inherit(build(parent), spec)
    assert child.inheritance is not None
    assert sum(child.inheritance.params.values()) == count(spec).params
    assert child.inheritance.to_dict()["parent"] == parent.id
    for parameter in child.parameters():
        assert parameter.isfinite().all()


@pytest.mark.parametrize("calibrated", [False, True])
def test_guidance_starts_silent_and_is_kept(calibrated: bool, small: UNetSpec) -> None:
    parent, inputs = build(small).eval(), batch(small)
    guidance = torch.randn(4, 6)
    with_guidance = replace(small, guidance_dim=6)
    child = inherit(parent, with_guidance)
    torch.testing.assert_close(child(*inputs, guidance=guidance), parent(*inputs))
    assert child.time_embedding.guidance is not None
    nn.init.normal_(child.time_embedding.guidance.weight)
    wanted = child(*inputs, guidance=guidance)
    calibration = [inputs] if calibrated else None
    torch.testing.assert_close(inherit(child, with_guidance, calibration)(*inputs, guidance=guidance), wanted)
    wide = inherit(child, with_guidance.with_channels([2 * stage.channels for stage in small.stages]))
    without = (wide(*inputs) - wanted).norm()
    assert (wide(*inputs, guidance=guidance) - wanted).norm() < 0.2 * without
    other = inherit(child, replace(small, guidance_dim=5))
    torch.testing.assert_close(other(*inputs, guidance=torch.randn(4, 5)), child(*inputs))


def test_added_conditioning_starts_silent_and_is_kept(small: UNetSpec) -> None:
    with_added = replace(small, added=AddedConditioning(text_dim=8, time_ids=6, time_dim=4))
    added = {"text_embeds": torch.randn(4, 8), "time_ids": torch.ones(4, 6)}
    parent, inputs = build(small), batch(small)
    child = inherit(parent, with_added)
    torch.testing.assert_close(child(*inputs, added), parent(*inputs))
    assert child.added_embedding is not None
    nn.init.normal_(child.added_embedding.linear2.weight)
    torch.testing.assert_close(inherit(child, with_added)(*inputs, added), child(*inputs, added))


def test_a_text_encoder_of_another_width_has_new_keys_and_values(small: UNetSpec) -> None:
    child = inherit(build(small), replace(small, context_dim=40))
    assert child.inheritance is not None
    new = {row.tensors.split(".")[-1] for row in child.inheritance.rows if row.how == "new"}
    assert new == {"key", "value"}


def test_a_half_precision_parent_has_half_precision_children(small: UNetSpec) -> None:
    child = inherit(build(small).to(torch.bfloat16), change(small, width=0.5, kv_sharing="all"))
    assert {parameter.dtype for parameter in child.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_calibration_data_may_be_of_another_precision_than_the_parent(small: UNetSpec, dtype: torch.dtype) -> None:
    small = replace(small, added=AddedConditioning(text_dim=8, time_ids=6, time_dim=4))
    parent, narrow = build(small).to(dtype), change(small, width=0.5)
    sample, timestep, context = batch(small)
    added = {"text_embeds": torch.randn(4, 8), "time_ids": torch.ones(4, 6, dtype=torch.int64)}
    for precision in (torch.float32, dtype):
        child = inherit(parent, narrow, [(sample.to(precision), timestep, context.to(precision), added)])
        assert {parameter.dtype for parameter in child.parameters()} == {dtype}


def test_numbers_that_are_not_finite_are_refused(small: UNetSpec) -> None:
    parent, (sample, timestep, context) = build(small), batch(small)
    with pytest.raises(BadInput, match="on the calibration data the parent computes numbers that are not finite"):
        inherit(parent, small, [(sample, timestep, context * float("nan"))])
    with torch.no_grad():
        parent.conv_in.weight[0, 0, 0, 0] = float("inf")
    with pytest.raises(BadInput, match=r"the parent's conv_in\.weight has values that are not finite"):
        inherit(parent, small)


def test_a_name_is_no_architecture(small: UNetSpec) -> None:
    with pytest.raises(BadInput, match="the architecture must be a UNetSpec, not str"):
        inherit(build(small), cast(UNetSpec, "tiny"))


def test_a_parent_that_is_no_unet_is_refused(small: UNetSpec) -> None:
    with pytest.raises(BadInput, match="the parent must be a UNet that archlab built, not Linear"):
        inherit(cast(UNet, nn.Linear(1, 1)), small)


def test_layers_that_no_rule_knows_are_inherited_as_they_are(small: UNetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new attribute of the spec would bring along."""

    class NormedAttention(Attention):
        def __init__(self, channels: int, *arguments: Any) -> None:
            super().__init__(channels, *arguments)
            self.inner_norm = nn.LayerNorm(channels)
            self.temperature = nn.Parameter(torch.ones(1))

        def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            mixed: Tensor = self.inner_norm(super().mix(query, key, value)) * self.temperature
            return mixed

    monkeypatch.setattr("archlab.unet.transformer.Attention", NormedAttention)
    parent = build(small)
    with torch.no_grad():
        for module in parent.modules():
            if isinstance(module, NormedAttention):
                module.inner_norm.weight.uniform_(0.5, 2)
                module.temperature.fill_(1.5)
    child = inherit(parent, small)
    assert distance(child, parent) == 0
    assert child.inheritance is not None
    assert child.inheritance.params["new"] == 0
    narrower = inherit(parent, change(small, channels=(16, 64)))
    assert narrower.inheritance is not None
    rows = [row for row in narrower.inheritance.rows if "inner_norm" in row.tensors]
    assert {row.how for row in rows} == {"new", "kept"}, "new where its width is another"
