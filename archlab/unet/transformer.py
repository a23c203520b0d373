"""Transformers of the UNet: self-attention, cross-attention, feed-forward. Layout of tokens: [B, L, C]."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import Transformer
from archlab.architecture.parts import Activation, AppliedNormalizer, Norm
from archlab.unet.attention import attend
from archlab.unet.norms import RMSNorm, feature_norm, token_norm
from archlab.unet.rotary import rotate

STACK_NORM_EPS = 1e-6
QK_NORM_EPS = 1e-6

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
    L the number of keys (Wortsman et al., arXiv 2309.08586). Each of the ``kv_heads`` of keys and values serves as many
    heads of queries that follow each other. Queries and keys are normalised, then turned by their positions.
    """

    def __init__(
        self, channels: int, context_dim: int, transformer: Transformer, kind: Literal["self", "cross"]
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads = transformer.heads, transformer.key_heads
        self.shared_kv = transformer.shares_kv(kind)
        self.normalizer: AppliedNormalizer = "softmax" if transformer.attention_normalizer == "softmax" else "relu"
        self.rotary = kind == "self" and transformer.positions == "rotary"
        self.head_size = channels // self.heads
        width = transformer.key_width(channels)
        self.query = nn.Linear(channels, channels, bias=False)
        if self.shared_kv:
            self.key_value = nn.Linear(context_dim, width, bias=False)
        else:
            self.key = nn.Linear(context_dim, width, bias=False)
            self.value = nn.Linear(context_dim, width, bias=False)
        self.query_norm, self.key_norm = (
            None if transformer.qk_norm == "none" else RMSNorm(self.head_size, QK_NORM_EPS, shift=False)
            for _ in range(2)
        )
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, context: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
        """[B, L, C], [B, M, D] → [B, L, C]; ``grid`` is the feature map's height and width, for rotary positions."""
        out: Tensor = self.out(self.mix(*self.project(x, context, grid)))
        return out

    def project(self, x: Tensor, context: Tensor, grid: tuple[int, int] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values as they are compared and mixed."""
        query = self.query(x)
        key = (self.key_value if self.shared_kv else self.key)(context)
        value = key if self.shared_kv else self.value(context)
        return self._compared(query, self.query_norm, grid), self._compared(key, self.key_norm, grid), value

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[B, L, C], [B, M, C'], [B, M, C'] → [B, L, C]

        Heads of queries that share keys are as many more queries of one head.
        """
        if self.kv_heads == self.heads:
            return attend(query, key, value, self.heads, self.normalizer, self.training)
        batch, length, channels = query.shape
        apart = query.view(batch, length, self.kv_heads, -1, self.head_size).permute(0, 3, 1, 2, 4)
        folded = apart.reshape(batch, -1, key.shape[-1])
        mixed = attend(folded, key, value, self.kv_heads, self.normalizer, self.training)
        unfolded = mixed.reshape(batch, -1, length, self.kv_heads, self.head_size).permute(0, 2, 3, 1, 4)
        return unfolded.reshape(batch, length, channels)

    def _compared(self, tokens: Tensor, norm: RMSNorm | None, grid: tuple[int, int] | None) -> Tensor:
        """Queries or keys, normalised and turned: [B, L, heads · d]"""
        if norm is None and not self.rotary:
            return tokens
        heads: Tensor = tokens.reshape(*tokens.shape[:2], -1, self.head_size)
        if norm is not None:
            heads = norm(heads)
        if self.rotary:
            if grid is None:
                raise ValueError("rotary positions: pass the feature map's height and width")
            heads = rotate(heads, grid)
        return heads.flatten(2)


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

    def __init__(self, channels: int, context_dim: int, transformer: Transformer, norm: Norm) -> None:
        super().__init__()
        self.finetuned_with_relu = transformer.attention_normalizer == "softmax->relu"
        self.self_attention = self.cross_attention = self.feed_forward = None
        if transformer.self_attention:
            self.self_norm = token_norm(norm, channels)
            self.self_attention = Attention(channels, channels, transformer, "self")
        if transformer.cross_attention:
            self.cross_norm = token_norm(norm, channels)
            self.cross_attention = Attention(channels, context_dim, transformer, "cross")
        if transformer.ff_ratio:
            self.ff_norm = token_norm(norm, channels)
            self.feed_forward = FeedForward(channels, transformer)

    def forward(self, x: Tensor, context: Tensor, grid: tuple[int, int]) -> Tensor:
        if self.self_attention is not None:
            normed = self.self_norm(x)
            x = x + self.self_attention(normed, normed, grid)
        if self.cross_attention is not None:
            x = x + self.cross_attention(self.cross_norm(x), context)
        if self.feed_forward is not None:
            x = x + self.feed_forward(self.ff_norm(x))
        return x


class TransformerStack(nn.Module):
    """norm, projection in, the transformers, projection out, residual: [B, C, H, W] → [B, C, H, W]."""

    def __init__(
        self, transformers: Sequence[Transformer], channels: int, context_dim: int, norm: Norm, norm_groups: int
    ) -> None:
        super().__init__()
        self.norm = feature_norm(norm, channels, norm_groups, STACK_NORM_EPS)
        self.project_in = nn.Linear(channels, channels)
        self.blocks = nn.ModuleList(TransformerBlock(channels, context_dim, t, norm) for t in transformers)
        self.project_out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        tokens = self.project_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.blocks:
            tokens = block(tokens, context, x.shape[2:])
        out: Tensor = x + self.project_out(tokens).transpose(1, 2).reshape(x.shape)
        return out
