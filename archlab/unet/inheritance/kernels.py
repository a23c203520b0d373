"""3×3 kernels as products of smaller ones, and the other way round. Layout: [outputs, inputs, 3, 3]."""

import torch
from torch import Tensor

from archlab.unet.blocks import SeparableConv


def rank_one(kernel: Tensor) -> tuple[Tensor, Tensor, float]:
    """The separable convolution nearest to a dense one.

    For every input channel the matrix [outputs, 9] has one best approximation of rank one (Eckart and Young).

    Returns:
        Depthwise [inputs, 1, 3, 3] of norm one, pointwise [outputs, inputs, 1, 1], relative error in the weights.
    """
    outputs, inputs = kernel.shape[:2]
    left, singular, right = torch.linalg.svd(kernel.double().flatten(2).movedim(1, 0), full_matrices=False)
    depthwise = right[:, 0].reshape(inputs, 1, 3, 3)
    pointwise = (left[:, :, 0] * singular[:, :1]).T.reshape(outputs, inputs, 1, 1)
    energy = singular.square()
    error = (energy[:, 1:].sum() / energy.sum().clamp(min=1e-30)).sqrt().item()
    return depthwise.to(kernel.dtype), pointwise.to(kernel.dtype), error


def low_rank(kernel: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor, float]:
    """An expanded separable convolution with ``width`` inner channels, near to a dense one.

    Every inner channel takes one input channel, and one of the ranks of that channel's matrix [outputs, 9]: of all
    channels' together those that matter most. Where there are more inner channels than ranks the rest gives nothing.

    Returns:
        Expansion [width, inputs, 1, 1], depthwise [width, 1, 3, 3], pointwise [outputs, width, 1, 1], relative error in
        the weights.
    """
    left, singular, right = torch.linalg.svd(kernel.double().flatten(2).movedim(1, 0), full_matrices=False)
    ranked = singular.flatten().argsort(descending=True, stable=True)
    kept = ranked[:width].sort().values
    places = kept.repeat(-(-width // len(kept)))[:width]
    channel, rank = places // singular.shape[1], places % singular.shape[1]
    strengths = singular[channel, rank] * (torch.arange(width) < len(kept))
    expand = torch.eye(kernel.shape[1], dtype=kernel.dtype)[channel]
    pointwise = (left[channel, :, rank] * strengths[:, None]).T
    lost = singular.square().sum() - strengths.square().sum()
    error = (lost.clamp(min=0) / singular.square().sum().clamp(min=1e-30)).sqrt().item()
    return (
        expand[:, :, None, None],
        right[channel, rank].reshape(width, 1, 3, 3).to(kernel.dtype),
        pointwise[:, :, None, None].to(kernel.dtype),
        error,
    )


def dense_kernel(conv: SeparableConv) -> Tensor:
    """The dense convolution that does the same: [outputs, inputs, 3, 3]."""
    kernel = conv.pointwise.weight * conv.depthwise.weight.movedim(0, 1)
    return kernel if conv.expand is None else torch.einsum("omhw,mi->oihw", kernel, conv.expand.weight[..., 0, 0])
