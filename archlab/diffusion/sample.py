"""Draw images of prompts with a trained network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archlab.diffusion.configured import configured_process
from archlab.diffusion.guidance import guided
from archlab.diffusion.process import AT_ONCE, device_of_network
from archlab.diffusion.samplers import SAMPLERS
from archlab.diffusion.settings import DiffusionSettings, SamplingSettings
from archlab.encoders.prepare import Prepared
from archlab.progress import ShareDone, silent_share

_SEED = 0
_LATENTS_LOOKED_AT = 4096


def largest_latent(prepared: Prepared) -> float:
    """The largest absolute value among latents of the training split, at least 1."""
    latents = prepared.latents[prepared.data.train[:_LATENTS_LOOKED_AT]]
    return max(1.0, latents.abs().max().item())


class TextToImage:
    """Draws with any network as the settings have it: sampler, steps, guidance, and always the same noise.

    Args:
        at_once: images that are in memory at once; guidance doubles them.
    """

    def __init__(
        self, prepared: Prepared, diffusion: DiffusionSettings, sampling: SamplingSettings, at_once: int = AT_ONCE
    ) -> None:
        self._prepared, self._settings, self._at_once = prepared, sampling, at_once
        self._process, self._sampler = configured_process(diffusion, prepared.sample_size), SAMPLERS[sampling.sampler]
        self._limit = largest_latent(prepared)

    @torch.no_grad()
    def __call__(
        self, unet: nn.Module, prompts: Sequence[str], steps: int | None = None, progress: ShareDone = silent_share
    ) -> Tensor:
        """One image for each prompt: float32 [N, C, H, W] in [-1, 1].

        Args:
            steps: absent: as the settings have it.
        """
        shape = (len(prompts), *self._prepared.latents.shape[1:])
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(_SEED))
        starts = range(0, len(prompts), self._at_once)
        images = []
        for index, start in enumerate(starts):
            span = slice(start, start + self._at_once)

            def report(share: float, index: int = index) -> None:
                progress((index + share) / len(starts))

            latents = self._latents(unet, prompts[span], noise[span], steps or self._settings.sampling_steps, report)
            images.append(self._prepared.codec.decode(latents.cpu()))
        return torch.cat(images)

    def _latents(
        self, unet: nn.Module, prompts: Sequence[str], noise: Tensor, steps: int, progress: ShareDone
    ) -> Tensor:
        device = device_of_network(unet)
        context = self._prepared.prompt_context(prompts).to(device)
        predict = guided(unet, context, self._prepared.null_context, self._settings.guidance)
        return self._sampler(
            predict, noise.to(device), self._process, steps=steps, limit=self._limit, progress=progress
        )
