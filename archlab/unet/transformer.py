"""Transformers of the UNet: self-attention, cross-attention, feed-forward. Layout of tokens: [B, L, C]."""

from collections.abc import Callable, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import Transformer
from archlab.architecture.parts import Activation, AppliedNormalizer
from archlab.unet.attention import attend

STACK_NORM_EPS = 1e-6

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "swish": F.silu,
    "relu": F.relu,
    "hardswish": F.hardswish,
    "mish": F.mish,
}


class Attention(nn.Module):
    """Multi-head attention over ``context`` (self-attention: over ``x`` itself).

    With ``shared_kv`` keys and values are one projection. ``normalizer`` is ``softmax`` or ``relu``: relu(QKᵀ/√d)/L,
    L the number of keys (Wortsman et al., arXiv 2309.08586).
    """

    def __init__(
        self,
        channels: int,
        context_dim: int,
        heads: int,
        shared_kv: bool,
        normalizer: AppliedNormalizer,
    ) -> None:
        super().__init__()
        self.heads, self.shared_kv, self.normalizer = heads, shared_kv, normalizer
        self.query = nn.Linear(channels, channels, bias=False)
        if shared_kv:
            self.key_value = nn.Linear(context_dim, channels, bias=False)
        else:
            self.key = nn.Linear(context_dim, channels, bias=False)
            self.value = nn.Linear(context_dim, channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        out: Tensor = self.out(self.mix(*self.project(x, context)))
        return out

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values as they are compared and mixed; in any layout that the layers take."""
        query = self.query(x)
        key = (self.key_value if self.shared_kv else self.key)(context)
        return query, key, key if self.shared_kv else self.value(context)

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[B, L, C], [B, M, C], [B, M, C] → [B, L, C]"""
        return attend(query, key, value, self.heads, self.normalizer, self.training)


class FeedForward(nn.Module):
    """Two linear layers; gated: a ⊙ act(b), with a and b the halves of the first layer's output."""

    def __init__(self, channels: int, transformer: Transformer) -> None:
        super().__init__()
        width = transformer.ff_width(channels)
        self.gated = transformer.ff_gated
        self.activation = ACTIVATIONS[transformer.ff_activation]
        self.expand = nn.Linear(channels, 2 * width if self.gated else width)
        self.contract = nn.Linear(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        h = self.expand(x)
        if self.gated:
            h, gate = h.chunk(2, dim=-1)
            h = h * self.activation(gate)
        else:
            h = self.activation(h)
        out: Tensor = self.contract(h)
        return out


class TransformerBlock(nn.Module):
    """Pre-norm residual self-attention, cross-attention and feed-forward, those that the spec keeps."""

    def __init__(self, channels: int, context_dim: int, transformer: Transformer) -> None:
        super().__init__()
        self.finetuned_with_relu = transformer.attention_normalizer == "softmax->relu"
        normalizer: AppliedNormalizer = "softmax" if transformer.attention_normalizer == "softmax" else "relu"
        self.self_attention = self.cross_attention = self.feed_forward = None
        if transformer.self_attention:
            self.self_norm = nn.LayerNorm(channels)
            self.self_attention = Attention(
                channels, channels, transformer.heads, transformer.shares_kv("self"), normalizer
            )
        if transformer.cross_attention:
            self.cross_norm = nn.LayerNorm(channels)
            self.cross_attention = Attention(
                channels, context_dim, transformer.heads, transformer.shares_kv("cross"), normalizer
            )
        if transformer.ff_ratio:
            self.ff_norm = nn.LayerNorm(channels)
            self.feed_forward = FeedForward(channels, transformer)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        if self.self_attention is not None:
            normed = self.self_norm(x)
            x = x + self.self_attention(normed, normed)
        if self.cross_attention is not None:
            x = x + self.cross_attention(self.cross_norm(x), context)
        if self.feed_forward is not None:
            x = x + self.feed_forward(self.ff_norm(x))
        return x


class TransformerStack(nn.Module):
    """norm, projection in, the transformers, projection out, residual: [B, C, H, W] → [B, C, H, W]."""

    def __init__(self, transformers: Sequence[Transformer], channels: int, context_dim: int, norm_groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_groups, channels, eps=STACK_NORM_EPS)
        self.project_in = nn.Linear(channels, channels)
        self.blocks = nn.ModuleList(TransformerBlock(channels, context_dim, t) for t in transformers)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        tokens = self.project_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, context)
        out: Tensor = x + self.project_out(tokens).transpose(1, 2).reshape(x.shape)
        return out
