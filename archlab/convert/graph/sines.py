"""Sine and cosine in operations that every runtime has, for those without operators of the name."""

import math

import torch
from torch import Tensor

_TURN_HIGH = 6.28125  # 2π to 10 bits: its products with whole numbers up to 2¹⁴ are exact in float32
_TURN_LOW = 2 * math.pi - _TURN_HIGH


def sine_and_cosine(angles: Tensor) -> tuple[Tensor, Tensor]:
    """Exact to float32 for angles up to 10⁴.

    The angle less its nearest multiple of 2π (in two parts, so that nothing is lost: Cody & Waite, 1980), quartered,
    through Taylor polynomials, and doubled twice by the angle formulas.
    """
    turns = torch.floor(angles * (0.5 / math.pi) + 0.5)
    rest = (angles - turns * _TURN_HIGH) - turns * _TURN_LOW
    x = rest * 0.25
    square = x * x
    sine = x * (1 + square * (-1 / 6 + square * (1 / 120 + square * (-1 / 5040 + square / 362_880))))
    cosine = 1 + square * (-1 / 2 + square * (1 / 24 + square * (-1 / 720 + square / 40_320)))
    for _ in range(2):
        sine, cosine = 2 * sine * cosine, 1 - 2 * sine * sine
    return sine, cosine
