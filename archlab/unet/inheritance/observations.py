"""What a trained UNet's layers see while it runs on calibration data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn

from archlab.errors import BadInput
from archlab.unet.transformer import Attention
from archlab.unet.unet import UNet

_MOST_SAMPLES = 16  # of an attention's inputs


@dataclass(eq=False)
class Moments:
    """First and second moment of a layer's input channels over samples and positions.

    Attributes:
        count: vectors seen.
        total, products: sums of x [C] and of x xᵀ [C, C], float64.
    """

    count: int
    total: Tensor
    products: Tensor

    @property
    def mean(self) -> Tensor:
        """E[x]: [C]."""
        return self.total / self.count

    @property
    def second(self) -> Tensor:
        """E[x xᵀ]: [C, C]."""
        return self.products / self.count

    @property
    def covariance(self) -> Tensor:
        """[C, C]."""
        return self.second - self.mean.outer(self.mean)


@dataclass(frozen=True)
class Observations:
    """What was seen; empty without calibration data.

    Attributes:
        moments: of every linear layer's and convolution's input.
        attention_inputs: ``x`` and ``context`` of every attention for a few samples.
    """

    moments: dict[nn.Module, Moments] = field(default_factory=dict)
    attention_inputs: dict[nn.Module, tuple[Tensor, Tensor]] = field(default_factory=dict)


def observe(unet: UNet, calibration: Iterable[tuple[Any, ...]]) -> Observations:
    """Run the network on every batch and look at what enters its layers.

    Raises:
        BadInput: something that enters is not finite.
    """
    observations = Observations()
    hooks = [
        module.register_forward_pre_hook(
            partial(_note_attention if isinstance(module, Attention) else _note, observations)
        )
        for module in unet.modules()
        if isinstance(module, (nn.Linear, nn.Conv2d, Attention))
    ]
    try:
        for batch in calibration:
            unet(*(_beside(unet.conv_in.weight, part) for part in batch))
    finally:
        for hook in hooks:
            hook.remove()
    if not all(moments.products.isfinite().all() for moments in observations.moments.values()):
        raise BadInput("inherit: on the calibration data the parent computes numbers that are not finite")
    return observations


def _beside(weight: Tensor, part: Any) -> Any:
    """A part of a batch on the weight's device and in its precision."""
    if isinstance(part, Mapping):
        return {name: _beside(weight, tensor) for name, tensor in part.items()}
    return part.to(weight.device, weight.dtype if part.is_floating_point() else None)


def _note(observations: Observations, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    x = inputs[0].detach().float()
    vectors = (x.movedim(1, -1) if isinstance(layer, nn.Conv2d) else x).flatten(0, -2)
    total, products = vectors.sum(0).double(), (vectors.T @ vectors).double()
    if layer in observations.moments:
        seen = observations.moments[layer]
        seen.count, seen.total, seen.products = seen.count + len(vectors), seen.total + total, seen.products + products
    else:
        observations.moments[layer] = Moments(len(vectors), total, products)


def _note_attention(observations: Observations, attention: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    if attention not in observations.attention_inputs:
        x, context = (part[:_MOST_SAMPLES].detach().float() for part in inputs[:2])
        observations.attention_inputs[attention] = (x, context)
