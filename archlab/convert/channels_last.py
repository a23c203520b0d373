"""The form for TFLite: channels last, as its kernels are, at most four dimensions, no gather, no broadcast.

Norms, upsampling, Mish and the sinusoids as PyTorch writes them split XNNPACK's graph, so here they are written in
what it has.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.convert.arithmetic import mish, normalized, sinusoids
from archlab.unet.blocks import Upsample
from archlab.unet.transformer import Attention, FeedForward, TransformerStack
from archlab.unet.unet import AddedEmbedding, TimeEmbedding


class ChannelsLastGroupNorm(nn.GroupNorm):
    """Statistics over [B, positions, groups, C / groups]; the permutations cancel against the convolutions' own."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, …] → [B, C, …]"""
        pixels = x.movedim(1, -1)
        grouped = pixels.reshape(len(x), -1, self.num_groups, self.num_channels // self.num_groups)
        normed = normalized(grouped, (1, 3), self.eps).reshape(pixels.shape)
        if self.affine:
            normed = normed * self.weight + self.bias
        return normed.movedim(-1, 1)


class LastDimensionLayerNorm(nn.LayerNorm):
    """Mean, mean of squares and rsqrt over the last dimension."""

    def forward(self, x: Tensor) -> Tensor:
        """[…, C] → […, C]"""
        normed = normalized(x, (-1,), self.eps)
        if self.elementwise_affine:
            normed = normed * self.weight + self.bias
        return normed


class ConcatenatingUpsample(Upsample):
    """Nearest neighbour by concatenation, see `doubled`."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C, 2·H, 2·W]"""
        out: Tensor = self.conv(doubled(x))
        return out


class ConcatenatingUpsample2D(nn.Module):
    """The same for diffusers' ``Upsample2D``, which image decoders have."""

    conv: nn.Conv2d

    def forward(self, hidden_states: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C, 2·H, 2·W]"""
        out: Tensor = self.conv(doubled(hidden_states))
        return out


def doubled(x: Tensor) -> Tensor:
    """Every pixel, then every row, concatenated with itself: [B, C, H, W] → [B, C, 2·H, 2·W]"""
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(batch, height, width, channels)
    wide = torch.cat([pixels, pixels], dim=3).reshape(batch, height, 2 * width * channels)
    tall = torch.cat([wide, wide], dim=2).reshape(batch, 2 * height, 2 * width, channels)
    return tall.permute(0, 3, 1, 2)


class ChannelsLastTransformerStack(TransformerStack):
    """Tokens are taken from, and put back into, channels-last feature maps."""

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """x: [B, C, H, W]; context: [B, L, D]"""
        batch, channels, height, width = x.shape
        tokens = self.project_in(self.norm(x).permute(0, 2, 3, 1).reshape(batch, height * width, channels))
        for block in self.blocks:
            tokens = block(tokens, context)
        pixels = self.project_out(tokens).reshape(batch, height, width, channels)
        out: Tensor = x + pixels.permute(0, 3, 1, 2)
        return out


class BatchedAttention(Attention):
    """Heads are a batch of three-dimensional matrix products; the converter takes the scale into the query's weights.

    At 4096 tokens and 8 heads of 40 no other form is faster on XNNPACK: heads in a loop take as long, queries in
    chunks of 512 up to 5 % longer, for they pack keys and values anew for every chunk.
    """

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[B, L, C], [B, M, C], [B, M, C] → [B, L, C]"""
        (batch, length, channels), keys, is_shared = query.shape, key.shape[1], value is key
        query = self._heads_as_batch(query * (channels // self.heads) ** -0.5)
        key = self._heads_as_batch(key)
        value = key if is_shared else self._heads_as_batch(value)
        if len(query) == 1 and length % 2 == 0:  # a batch of one becomes an operator that XNNPACK refuses
            query, key, value = query.reshape(2, length // 2, -1), torch.cat([key, key]), torch.cat([value, value])
        scores = torch.bmm(query, key.transpose(1, 2))
        weights = scores.softmax(-1) if self.normalizer == "softmax" else F.relu(scores) * (1 / keys)
        mixed = torch.bmm(weights, value).reshape(batch, self.heads, length, -1).permute(0, 2, 1, 3)
        return mixed.reshape(batch, length, channels)

    def _heads_as_batch(self, x: Tensor) -> Tensor:
        """[B, L, C] → [B · heads, L, C / heads]"""
        batch, length, channels = x.shape
        split = x.reshape(batch, length, self.heads, channels // self.heads).permute(0, 2, 1, 3)
        return split.reshape(batch * self.heads, length, channels // self.heads)


class SplitFeedForward(FeedForward):
    """A gated first layer is two layers, which leaves nothing to cut; Mish without softplus, see `mish`."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, C] → [B, L, C]"""
        activation = mish if self.activation is F.mish else self.activation
        if self.gated:
            (weight, gate_weight), (bias, gate_bias) = self.expand.weight.chunk(2), self.expand.bias.chunk(2)
            h = F.linear(x, weight, bias) * activation(F.linear(x, gate_weight, gate_bias))
        else:
            h = activation(self.expand(x))
        out: Tensor = self.contract(h)
        return out


class PolynomialTimeEmbedding(TimeEmbedding):
    """Sinusoids by polynomials, see `sinusoids`."""

    def forward(self, timestep: Tensor, guidance: Tensor | None = None) -> Tensor:
        """[B] and [B, guidance_dim] → [B, D]"""
        return self.embed(sinusoids(timestep, self.sinusoid_dim), guidance)


class PolynomialAddedEmbedding(AddedEmbedding):
    """Sinusoids by polynomials, see `sinusoids`."""

    def forward(self, text_embeds: Tensor, time_ids: Tensor) -> Tensor:
        """text_embeds: [B, text_dim]; time_ids: [B, ids] → [B, D]"""
        ids = sinusoids(time_ids.reshape(-1), self.time_dim).reshape(time_ids.shape[0], -1)
        out: Tensor = self.linear2(F.silu(self.linear1(torch.cat([text_embeds, ids], dim=-1))))
        return out
