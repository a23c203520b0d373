"""What random weights say of an architecture: scores that cost no training. More is better."""

import copy
from collections.abc import Callable
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archlab.architecture import UNetSpec
from archlab.diffusion.configured import configured_process
from archlab.diffusion.process import NoisyBatch, loss, spread_times
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.scores.spread import spread
from archlab.unet import UNet, set_attention_normalizer
from archlab.unet.norms import RMSNorm
from archlab.unet.untrained import untrained

_IMAGES, _FEW_IMAGES, _SEED = 64, 32, 0
_NORMALISATIONS = (nn.GroupNorm, nn.LayerNorm, RMSNorm)
_NONLINEARITIES = frozenset({"relu", "silu", "gelu", "hardswish", "mish"})


def zero_cost(spec: UNetSpec, prepared: Prepared, settings: DiffusionSettings) -> dict[str, float | None]:
    """``grad_norm``, ``synflow`` and ``naswot`` of a proxy before its training, on the CPU; what is infinite is None.

    Weights follow one seed, and images, times and noise are always the same.

    Args:
        spec: of the proxy, already shrunk.
    """
    unet, batch = _untrained(spec), _batch(prepared, settings, _IMAGES)
    scores = {
        "grad_norm": grad_norm(unet, lambda: loss(unet, batch).mean()),
        "synflow": synflow(unet, _ones(batch.noisy), torch.zeros(1), _ones(batch.context)),
        "naswot": naswot(lambda: unet(*batch[:3])),
    }
    return {name: score if isfinite(score) else None for name, score in scores.items()}


def quick_naswot(spec: UNetSpec, prepared: Prepared, settings: DiffusionSettings) -> float | None:
    """``naswot`` as in `zero_cost`, by half the images: it orders networks alike, and takes about a step's time."""
    unet, batch = _untrained(spec), _batch(prepared, settings, _FEW_IMAGES)
    score = naswot(lambda: unet(*batch[:3]))
    return score if isfinite(score) else None


def grad_norm(network: nn.Module, loss_of: Callable[[], Tensor]) -> float:
    """Sum over layers of the norm of the gradient of their weights (arXiv 2101.08134, §3.1)."""
    weights = _weights(network)
    gradients = torch.autograd.grad(loss_of(), weights, allow_unused=True, materialize_grads=True)
    return float(sum(gradient.double().norm().item() for gradient in gradients))


def synflow(network: nn.Module, *inputs: Tensor) -> float:
    """Sum of |θ ∂R/∂θ| over weights, where R is the sum of the output with |θ| for θ (arXiv 2006.05467, as 2101.08134).

    There normalisations are left out. Here they divide by the root mean square, held constant: flow passes through them
    as through a weight, and gated feed-forwards, which square what comes in, don't overflow.

    Args:
        inputs: one image's, of ones; a time of 0, whose sinusoids are none below 0.
    """
    positive = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        for parameter in positive.parameters():
            parameter.abs_()
    for module in positive.modules():
        if isinstance(module, _NORMALISATIONS):
            module.register_forward_hook(_pass_on)
    weights = _weights(positive)
    flow = positive(*(part.double() for part in inputs)).sum()
    gradients = torch.autograd.grad(flow, weights, allow_unused=True, materialize_grads=True)
    return sum((weight * gradient).abs().sum().item() for weight, gradient in zip(weights, gradients, strict=True))


@torch.no_grad()
def naswot(answer: Callable[[], Tensor]) -> float:
    """log |det K|, where K counts for each pair of images the nonlinearities that see the same sign (arXiv 2006.04647).

    Minus infinity where two images look alike to all of them.

    Args:
        answer: what a network says of some images.
    """
    with _Signs() as signs:
        answer()
    return float(torch.linalg.slogdet(signs.kernel).logabsdet)


class _Signs(TorchFunctionMode):
    """Hears what every nonlinearity is given.

    Attributes:
        kernel: how many signs two images have in common: float64 [N, N].
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernel = torch.zeros(1, 1, dtype=torch.float64)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.rstrip("_")  # one that works in place ends so
        if name in _NONLINEARITIES:
            codes = (args[0] > 0).flatten(1).float()
            self.kernel = self.kernel + (codes @ codes.T + (1 - codes) @ (1 - codes).T).double()
        return func(*args, **(kwargs or {}))


def _untrained(spec: UNetSpec) -> UNet:
    unet = untrained(spec, _SEED)
    set_attention_normalizer(unet, "softmax")
    return unet


def _batch(prepared: Prepared, settings: DiffusionSettings, most: int) -> NoisyBatch:
    images = spread(prepared.data.train, most)
    generator = torch.Generator().manual_seed(_SEED)
    noise = torch.randn((len(images), *prepared.latents.shape[1:]), generator=generator)
    times = spread_times(len(images), generator)
    return configured_process(settings, prepared.sample_size).batch(
        prepared.latents[images], noise, times, prepared.context(images)
    )


def _ones(like: Tensor) -> Tensor:
    return torch.ones_like(like[:1])


def _weights(network: nn.Module) -> list[nn.Parameter]:
    """Of convolutions and linear layers."""
    return [parameter for parameter in network.parameters() if parameter.dim() > 1]


def _pass_on(_norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
    return inputs[0] / inputs[0].detach().square().mean().sqrt()
