"""Classifier-free guidance, and guidance that a network has embedded."""

import math

import torch
from torch import Tensor, nn

from archlab.diffusion.samplers.sampler import Predict


def guided(network: nn.Module, context: Tensor, null_context: Tensor, guidance: float) -> Predict:
    """What the network predicts of these prompts, moved away from what it predicts without (arXiv 2207.12598, w + 1).

    Args:
        context: of the prompts: [B, L, D].
        null_context: of the empty prompt: [L, D].
        guidance: 1 asks the network once a step, everything else twice in one batch of 2 B.
    """

    def alone(noisy: Tensor, timestep: Tensor) -> Tensor:
        answer: Tensor = network(noisy, timestep.to(noisy.device).expand(len(noisy)), context)
        return answer

    def both(noisy: Tensor, timestep: Tensor) -> Tensor:
        times = timestep.to(noisy.device).expand(len(noisy))
        return guided_answer(network, noisy, times, context, null_context, guidance)

    return alone if guidance == 1 else both


def guided_answer(
    network: nn.Module,
    noisy: Tensor,
    timesteps: Tensor,
    context: Tensor,
    null_context: Tensor,
    guidance: float | Tensor,
) -> Tensor:
    """What the network predicts with guidance, in one batch of 2 B: [B, C, H, W].

    Args:
        timesteps: [B].
        context, null_context: see `guided`.
        guidance: of all, or of each: [B, 1, 1, 1].
    """
    null = null_context.to(context).expand_as(context)
    answer: Tensor = network(noisy.repeat(2, 1, 1, 1), timesteps.repeat(2), torch.cat([context, null]))
    prompted, unprompted = answer.chunk(2)
    return unprompted + guidance * (prompted - unprompted)


def with_embedded_guidance(network: nn.Module, context: Tensor, guidance: float, dim: int) -> Predict:
    """What a network predicts of these prompts that is given the guidance beside the time step, in one pass a step.

    Args:
        context: of the prompts: [B, L, D].
        dim: of the embedding.
    """
    embedding = guidance_embedding(torch.tensor([guidance]), dim).to(context)

    def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
        times = timestep.to(noisy.device).expand(len(noisy))
        answer: Tensor = network(noisy, times, context, guidance=embedding.expand(len(noisy), -1))
        return answer

    return predict


def guidance_embedding(guidance: Tensor, dim: int) -> Tensor:
    """Sines, then cosines, of 1,000 (guidance − 1), as in latent consistency models (arXiv 2310.04378): [B, dim].

    Args:
        guidance: [B].
    """
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, device=guidance.device) / (half - 1))
    angles = 1000 * (guidance[:, None] - 1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
