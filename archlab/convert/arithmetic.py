"""Arithmetic in the operations that every runtime has."""

import math

import torch
from torch import Tensor


def normalized(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    """Zero mean and unit variance over ``dims``."""
    centred = x - x.mean(dims, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(dims, keepdim=True) + eps)


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
