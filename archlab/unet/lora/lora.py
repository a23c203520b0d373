"""A LoRA in memory: to the weights of some layers W it adds B·A, of a low rank (arXiv 2106.09685)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from archlab.errors import BadInput
from archlab.unet.lora.facts import LoraFacts
from archlab.unet.unet import UNet


class Factors(NamedTuple):
    """Of one layer, in float32."""

    down: Tensor  # A: [r, in], of a convolution [r, in, k, k]
    up: Tensor  # B, times alpha / r: [out, r], of a convolution [out, r, 1, 1]

    @property
    def rank(self) -> int:
        """Of the change, at most."""
        return len(self.down)

    @property
    def change(self) -> Tensor:
        """B·A: [out, in], of a convolution [out, in, k, k]."""
        return (self.up.flatten(1) @ self.down.flatten(1)).view(len(self.up), *self.down.shape[1:])


@dataclass(frozen=True, eq=False)
class Lora:
    """A low-rank change of a UNet.

    Attributes:
        name: what people call it.
        factors: by the UNet's own names of layers.
        facts: None for one that somebody else made.
    """

    name: str
    factors: Mapping[str, Factors]
    facts: LoraFacts | None = None

    @property
    def rank(self) -> int:
        """The highest of its layers."""
        return max(factors.rank for factors in self.factors.values())

    @property
    def params(self) -> int:
        """How many numbers it has."""
        return sum(tensor.numel() for factors in self.factors.values() for tensor in factors)

    def check_fit(self, unet: UNet, model: str) -> None:
        """Refuse a UNet of other layers.

        Args:
            model: what it is called.

        Raises:
            BadInput: a layer is not there, or of another width.
        """
        made_for = f" (it was made for {self.facts.base})" if self.facts else ""
        layers = unet.state_dict()
        for layer, factors in self.factors.items():
            weight = layers.get(f"{layer}.weight")
            if weight is None:
                raise BadInput(f"{self.name} does not fit {model}: there is no layer {layer}{made_for}")
            needed = (weight.shape[0], *weight.shape[1:])
            given = (len(factors.up), *factors.down.shape[1:])
            if given not in (needed, (*needed, 1, 1)):
                raise BadInput(
                    f"{self.name} does not fit {model}: {layer} is {_sides(needed)} there and {_sides(given)} in the "
                    f"LoRA, which fits models of its own width alone{made_for}"
                )


def fused(unet: UNet, loras: Sequence[tuple[Lora, float]], model: str) -> UNet:
    """A copy with W + Σ weight · B·A in the place of W.

    Args:
        loras: each with its weight.
        model: what the UNet is called.

    Raises:
        BadInput: one does not fit; see `Lora.check_fit`.
    """
    for lora, _ in loras:
        lora.check_fit(unet, model)
    changed = copy.deepcopy(unet)
    with torch.no_grad():
        for lora, scale in loras:
            for layer, factors in lora.factors.items():
                weight = changed.get_parameter(f"{layer}.weight")
                weight.add_(factors.change.reshape(weight.shape).to(weight), alpha=scale)
    return changed


def _sides(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
