"""Transformers for the Neural Engine, after Apple's "Deploying Transformers on the Apple Neural Engine" (2022).

Tokens lie as [B, C, 1, L]; linear layers are 1×1 convolutions; every head has matrix products of its own. The second
version (``split_einsum_v2`` of apple/ml-stable-diffusion) also takes the queries in chunks.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.convert.arithmetic import normalized
from archlab.unet.transformer import Attention, FeedForward, TransformerStack

QUERY_CHUNK = 512


class SplitEinsumTransformerStack(TransformerStack):
    """Feature maps become tokens, and tokens feature maps, by reshaping alone."""

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """x: [B, C, H, W]; context: [B, L, D]"""
        tokens = self.project_in(self.norm(x).reshape(*x.shape[:2], 1, -1))
        words = context.transpose(1, 2).unsqueeze(2)
        for block in self.blocks:
            tokens = block(tokens, words)
        out: Tensor = x + self.project_out(tokens).reshape(x.shape)
        return out


class PointwiseLinear(nn.Linear):
    """A linear layer as a 1×1 convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, in, 1, L] → [B, out, 1, L]"""
        return F.conv2d(x, self.weight[:, :, None, None], self.bias)


class ChannelLayerNorm(nn.LayerNorm):
    """A layer norm over dimension 1."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 1, L] → [B, C, 1, L]"""
        normed = normalized(x, (1,), self.eps)
        return normed * self.weight.reshape(1, -1, 1, 1) + self.bias.reshape(1, -1, 1, 1)


class SplitEinsumFeedForward(FeedForward):
    """Gates along dimension 1."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, 1, L] → [B, C, 1, L]"""
        h = self.expand(x)
        if self.gated:
            h, gate = h.chunk(2, dim=1)
            h = h * self.activation(gate)
        else:
            h = self.activation(h)
        out: Tensor = self.contract(h)
        return out


class SplitEinsumAttention(Attention):
    """One pair of matrix products a head, the keys along dimension 1."""

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[B, C, 1, L], [B, C, 1, M], [B, C, 1, M] → [B, C, 1, L]"""
        width = query.shape[1] // self.heads
        heads = zip(
            torch.split(query * width**-0.5, width, dim=1),
            torch.split(key.transpose(1, 3), width, dim=3),
            torch.split(value, width, dim=1),
            strict=True,
        )
        return torch.cat([self._head(*head) for head in heads], dim=1)

    def _head(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """query: [B, d, 1, L]; key: [B, M, 1, d]; value: [B, d, 1, M] → [B, d, 1, L]"""
        scores = torch.einsum("bkhc,bchq->bkhq", key, query)
        weights = scores.softmax(1) if self.normalizer == "softmax" else F.relu(scores) / key.shape[1]
        return torch.einsum("bchk,bkhq->bchq", value, weights)


class ChunkedSplitEinsumAttention(SplitEinsumAttention):
    """The same for 512 queries at a time, which keeps the scores small."""

    def _head(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if query.shape[3] <= QUERY_CHUNK:
            return super()._head(query, key, value)
        chunks = torch.split(query, QUERY_CHUNK, dim=3)
        return torch.cat([super(ChunkedSplitEinsumAttention, self)._head(q, key, value) for q in chunks], dim=3)
