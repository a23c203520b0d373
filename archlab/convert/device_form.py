"""The same network in the operations that a phone's runtime takes whole.

A runtime hands the graph to its accelerated kernels in partitions; an operation those lack splits the graph.
Norms, upsampling, Mish and the sinusoids as PyTorch writes them split XNNPACK's graph, so here they are
written in what it has: channels last around the norms, at most four dimensions, no gather, no broadcast.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.unet.blocks import Upsample
from archlab.unet.transformer import Attention, FeedForward, TransformerStack
from archlab.unet.unet import AddedEmbedding, TimeEmbedding


def device_form(module: nn.Module) -> nn.Module:
    """A deep copy in eval mode, without gradients: same weights and names, same outputs, other operations.

    Outputs are equal up to float32 rounding; parts without a device form are copied as they are.
    """
    copied = copy.deepcopy(module).eval().requires_grad_(False)
    for part in copied.modules():
        if type(part) in _DEVICE_FORMS:
            part.__class__ = _DEVICE_FORMS[type(part)]
            if isinstance(part, DeviceFeedForward) and part.activation is F.mish:
                part.activation = mish
    return copied


class DeviceGroupNorm(nn.GroupNorm):
    """Statistics over [B, H·W, groups, C / groups]; the permutations cancel against the convolutions' own."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C, H, W]"""
        batch, channels, height, width = x.shape
        grouped = x.permute(0, 2, 3, 1).reshape(batch, height * width, self.num_groups, -1)
        normed = _normalize(grouped, (1, 3), self.eps).reshape(batch, height, width, channels)
        if self.affine:
            normed = normed * self.weight + self.bias
        return normed.permute(0, 3, 1, 2)


class DeviceLayerNorm(nn.LayerNorm):
    """Mean, mean of squares and rsqrt over the last dimension."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, C] → [B, L, C]"""
        normed = _normalize(x, (-1,), self.eps)
        if self.elementwise_affine:
            normed = normed * self.weight + self.bias
        return normed


class DeviceUpsample(Upsample):
    """Nearest neighbour by concatenating every pixel, then every row, with itself."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C, 2·H, 2·W]"""
        batch, channels, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(batch, height, width, channels)
        wide = torch.cat([pixels, pixels], dim=3).reshape(batch, height, 2 * width * channels)
        tall = torch.cat([wide, wide], dim=2).reshape(batch, 2 * height, 2 * width, channels)
        out: Tensor = self.conv(tall.permute(0, 3, 1, 2))
        return out


class DeviceTransformerStack(TransformerStack):
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


class DeviceAttention(Attention):
    """Heads are a batch of three-dimensional matrix products; only the queries are scaled."""

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """x: [B, L, C]; context: [B, M, D]"""
        batch, length, channels = x.shape
        query = self._heads_as_batch(self.query(x) * (channels // self.heads) ** -0.5)
        key = self._heads_as_batch((self.key_value if self.shared_kv else self.key)(context))
        value = key if self.shared_kv else self._heads_as_batch(self.value(context))
        scores = torch.bmm(query, key.transpose(1, 2))
        weights = scores.softmax(-1) if self.normalizer == "softmax" else F.relu(scores) * (1 / context.shape[1])
        mixed = torch.bmm(weights, value).reshape(batch, self.heads, length, -1).permute(0, 2, 1, 3)
        out: Tensor = self.out(mixed.reshape(batch, length, channels))
        return out

    def _heads_as_batch(self, x: Tensor) -> Tensor:
        """[B, L, C] → [B · heads, L, C / heads]"""
        batch, length, channels = x.shape
        split = x.reshape(batch, length, self.heads, channels // self.heads).permute(0, 2, 1, 3)
        return split.reshape(batch * self.heads, length, channels // self.heads)


class DeviceFeedForward(FeedForward):
    """Mish without softplus, see `mish`."""


class DeviceTimeEmbedding(TimeEmbedding):
    """Sinusoids by polynomials, see `sinusoids`."""

    def forward(self, timestep: Tensor) -> Tensor:
        """[B] → [B, D]"""
        out: Tensor = self.linear2(F.silu(self.linear1(sinusoids(timestep, self.sinusoid_dim))))
        return out


class DeviceAddedEmbedding(AddedEmbedding):
    """Sinusoids by polynomials, see `sinusoids`."""

    def forward(self, text_embeds: Tensor, time_ids: Tensor) -> Tensor:
        """text_embeds: [B, text_dim]; time_ids: [B, ids] → [B, D]"""
        ids = sinusoids(time_ids.reshape(-1), self.time_dim).reshape(time_ids.shape[0], -1)
        out: Tensor = self.linear2(F.silu(self.linear1(torch.cat([text_embeds, ids], dim=-1))))
        return out


_DEVICE_FORMS: dict[type[nn.Module], type[nn.Module]] = {
    nn.GroupNorm: DeviceGroupNorm,
    nn.LayerNorm: DeviceLayerNorm,
    Upsample: DeviceUpsample,
    TransformerStack: DeviceTransformerStack,
    Attention: DeviceAttention,
    FeedForward: DeviceFeedForward,
    TimeEmbedding: DeviceTimeEmbedding,
    AddedEmbedding: DeviceAddedEmbedding,
}


def mish(x: Tensor) -> Tensor:
    """x · tanh(ln(1 + eˣ)), as x · n / (n + 2) with n = eˣ(eˣ + 2); above 20 the factor is 1 in float32."""
    power = torch.exp(torch.clamp(x, max=20.0))
    numerator = power * (power + 2)
    return x * (numerator / (numerator + 2))


def sinusoids(values: Tensor, dim: int) -> Tensor:
    """`archlab.unet`'s sinusoids without the operations sine and cosine: [N] → [N, dim].

    The angle less its nearest multiple of 2π (in two parts, so that nothing is lost up to 10⁴: Cody & Waite,
    1980), quartered, through Taylor polynomials, and doubled twice by the angle formulas.
    """
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=values.device) / half)
    angles = values.float().reshape(-1, 1) * frequencies
    turns = torch.floor(angles * (0.5 / math.pi) + 0.5)
    rest = (angles - turns * _TURN_HIGH) - turns * _TURN_LOW
    sine, cosine = _sine_and_cosine(rest * 0.25)
    for _ in range(2):
        sine, cosine = 2 * sine * cosine, 1 - 2 * sine * sine
    return torch.cat([cosine, sine], dim=-1)


_TURN_HIGH = 6.28125  # 2π to 10 bits: its products with whole numbers up to 2¹⁴ are exact in float32
_TURN_LOW = 2 * math.pi - _TURN_HIGH


def _sine_and_cosine(x: Tensor) -> tuple[Tensor, Tensor]:
    """Taylor polynomials, exact to float32 for |x| ≤ π/4."""
    square = x * x
    sine = x * (1 + square * (-1 / 6 + square * (1 / 120 + square * (-1 / 5040 + square / 362_880))))
    cosine = 1 + square * (-1 / 2 + square * (1 / 24 + square * (-1 / 720 + square / 40_320)))
    return sine, cosine


def _normalize(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(dims, keepdim=True) + eps)
