"""Where diffusers keeps each weight: one map of names for both directions."""

from collections.abc import Iterator

from torch import nn

from archlab.architecture import Node, UNetSpec, layout
from archlab.architecture.diffusers_obstacles import transformer_parts

_RESIDUAL = {
    "norm1": "norm1",
    "conv1": "conv1",
    "time_projection": "time_emb_proj",
    "norm2": "norm2",
    "conv2": "conv2",
    "shortcut": "conv_shortcut",
}
_STACK = {"norm": "norm", "project_in": "proj_in", "project_out": "proj_out"}
_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "out": "to_out.0"}
_FEED_FORWARD = {"expand": "net.0.proj", "contract": "net.2"}
_NORMS = {"self_attention": "self_norm", "cross_attention": "cross_norm", "feed_forward": "ff_norm"}
_CONTROLNET = "controlnet_"  # begins what a ControlNet has beside a UNet's modules, here and there
_THEIR_PARTS = (("norm1", "attn1"), ("norm2", "attn2"), ("norm3", "ff"))


def diffusers_names(network: nn.Module, spec: UNetSpec) -> dict[str, str]:
    """diffusers' name of each of a UNet's or a ControlNet's tensors; the spec is one that diffusers can express."""
    modules = dict(_modules(spec))
    names = {}
    for name in network.state_dict():
        module, _, tensor = name.rpartition(".")
        names[name] = name if name.startswith(_CONTROLNET) else f"{modules[module]}.{tensor}"
    return names


def _modules(spec: UNetSpec) -> Iterator[tuple[str, str]]:
    for ours, theirs in (("time_embedding", "time_embedding"), ("added_embedding", "add_embedding")):
        yield f"{ours}.linear1", f"{theirs}.linear_1"
        yield f"{ours}.linear2", f"{theirs}.linear_2"
    yield "time_embedding.guidance", "time_embedding.cond_proj"
    yield "norm_out", "conv_norm_out"
    for node in layout(spec):
        yield from _node(node, last=len(spec.stages) - 1)


def _node(node: Node, last: int) -> Iterator[tuple[str, str]]:
    place, *numbers = node.name.split(".")
    if place in ("conv_in", "conv_out"):
        yield place, place
    elif place == "downsample":
        yield f"{node.name}.conv", f"down_blocks.{numbers[0]}.downsamplers.0.conv"
    elif place == "upsample":
        yield f"{node.name}.conv", f"up_blocks.{last - int(numbers[0])}.upsamplers.0.conv"
    elif place == "middle":
        yield from _block(node, "mid_block", numbers[0])
    elif place == "down":
        yield from _block(node, f"down_blocks.{numbers[0]}", numbers[1])
    else:
        yield from _block(node, f"up_blocks.{last - int(numbers[0])}", numbers[1])


def _block(node: Node, stage: str, number: str) -> Iterator[tuple[str, str]]:
    for ours, theirs in _RESIDUAL.items():
        yield f"{node.name}.residual.{ours}", f"{stage}.resnets.{number}.{theirs}"
    stack, their_stack = f"{node.name}.transformers", f"{stage}.attentions.{number}"
    for ours, theirs in _STACK.items():
        yield f"{stack}.{ours}", f"{their_stack}.{theirs}"
    for count, (index, part) in enumerate(transformer_parts(node.transformers)):
        block, their_block = f"{stack}.blocks.{index}", f"{their_stack}.transformer_blocks.{count // 3}"
        their_norm, their_part = _THEIR_PARTS[count % 3]
        yield f"{block}.{_NORMS[part]}", f"{their_block}.{their_norm}"
        for ours, theirs in (_FEED_FORWARD if part == "feed_forward" else _ATTENTION).items():
            yield f"{block}.{part}.{ours}", f"{their_block}.{their_part}.{theirs}"
