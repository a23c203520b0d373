"""The same network in the operations that a phone's runtime takes whole.

A runtime hands the graph to its accelerated kernels in partitions; an operation those lack splits the graph.
"""

import copy
from typing import Literal

from torch import Tensor, nn

from archlab.convert.arithmetic import normalized
from archlab.convert.channels_last import (
    BatchedAttention,
    ChannelsLastGroupNorm,
    ChannelsLastTransformerStack,
    ConcatenatingUpsample,
    ConcatenatingUpsample2D,
    LastDimensionLayerNorm,
    PolynomialAddedEmbedding,
    PolynomialTimeEmbedding,
    SplitFeedForward,
)
from archlab.convert.split_einsum import (
    ChannelLayerNorm,
    ChunkedSplitEinsumAttention,
    PointwiseLinear,
    SplitEinsumAttention,
    SplitEinsumFeedForward,
    SplitEinsumTransformerStack,
)
from archlab.errors import BadInput, nearest
from archlab.unet.blocks import Upsample
from archlab.unet.transformer import Attention, FeedForward, TransformerStack
from archlab.unet.unet import AddedEmbedding, TimeEmbedding

Layout = Literal["channels_last", "channels_first"]
ATTENTION_FORMS = ("plain", "split_einsum", "split_einsum_v2")


def device_form(module: nn.Module, layout: Layout = "channels_last", attention: str = "plain") -> nn.Module:
    """A deep copy in eval mode, without gradients: same weights and names, same outputs, other operations.

    Outputs are equal up to float32 rounding; parts without a device form are copied as they are. Besides archlab's
    own modules, the norms of any network have one, and diffusers' upsampling.

    Args:
        layout: where the runtime keeps channels: last for TFLite, first for Core ML.
        attention: ``plain``: tokens as [B, L, C]; ``split_einsum`` and ``split_einsum_v2``: see
            `archlab.convert.split_einsum`.

    Raises:
        BadInput: there is no such form of attention.
    """
    if attention not in ATTENTION_FORMS:
        raise BadInput(f"attention: there is no {attention!r}{nearest(attention, ATTENTION_FORMS)}")
    copied = copy.deepcopy(module).eval().requires_grad_(False)
    if attention != "plain":
        for stack in [part for part in copied.modules() if type(part) is TransformerStack]:
            _swap(stack, _SPLIT_EINSUM[attention])
    _swap(copied, _FORMS[layout])
    return copied


class ChannelsFirstGroupNorm(nn.GroupNorm):
    """Statistics over [B, groups, C / groups, positions]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, …] → [B, C, …]"""
        grouped = x.reshape(len(x), self.num_groups, self.num_channels // self.num_groups, -1)
        normed = normalized(grouped, (2, 3), self.eps).reshape(x.shape)
        if self.affine:
            per_channel = (1, -1) + (1,) * (x.ndim - 2)
            normed = normed * self.weight.reshape(per_channel) + self.bias.reshape(per_channel)
        return normed


Forms = dict[str, type[nn.Module]]


def _swap(module: nn.Module, forms: Forms) -> None:
    for part in module.modules():
        form = forms.get(_name(type(part)))
        if form is not None:
            part.__class__ = form


def _name(kind: type[nn.Module]) -> str:
    """By name, for a library that nobody imported has no modules here."""
    return f"{kind.__module__}.{kind.__qualname__}"


_CHANNELS_LAST: Forms = {
    _name(nn.GroupNorm): ChannelsLastGroupNorm,
    _name(nn.LayerNorm): LastDimensionLayerNorm,
    _name(Upsample): ConcatenatingUpsample,
    _name(TransformerStack): ChannelsLastTransformerStack,
    _name(Attention): BatchedAttention,
    _name(FeedForward): SplitFeedForward,
    _name(TimeEmbedding): PolynomialTimeEmbedding,
    _name(AddedEmbedding): PolynomialAddedEmbedding,
    "diffusers.models.upsampling.Upsample2D": ConcatenatingUpsample2D,
}
_FORMS: dict[Layout, Forms] = {
    "channels_last": _CHANNELS_LAST,
    "channels_first": {_name(nn.GroupNorm): ChannelsFirstGroupNorm},
}
_SPLIT_EINSUM_V1: Forms = {
    _name(TransformerStack): SplitEinsumTransformerStack,
    _name(Attention): SplitEinsumAttention,
    _name(FeedForward): SplitEinsumFeedForward,
    _name(nn.Linear): PointwiseLinear,
    _name(nn.LayerNorm): ChannelLayerNorm,
}
_SPLIT_EINSUM: dict[str, Forms] = {
    "split_einsum": _SPLIT_EINSUM_V1,
    "split_einsum_v2": {**_SPLIT_EINSUM_V1, _name(Attention): ChunkedSplitEinsumAttention},
}
