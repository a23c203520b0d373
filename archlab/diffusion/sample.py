"""Draw images from a trained proxy."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from archlab.diffusion.denoise import denoise
from archlab.diffusion.process import AT_ONCE, Process, device_of_network
from archlab.encoders.prepare import Prepared
from archlab.space.settings import ProxySettings

_SEED = 0
_LATENTS_LOOKED_AT = 4096


class Sampler:
    """Draws from networks as the settings have it: sampler, guidance (arXiv 2207.12598), and always the same noise.

    Args:
        at_once: images that are in memory at once; guidance doubles them.
    """

    def __init__(self, prepared: Prepared, settings: ProxySettings, at_once: int = AT_ONCE) -> None:
        self._prepared, self._settings, self._at_once = prepared, settings, at_once
        self._process = Process(settings)
        self._limit = max(1.0, prepared.latents[prepared.data.train[:_LATENTS_LOOKED_AT]].abs().max().item())

    @torch.no_grad()
    def __call__(
        self,
        unet: nn.Module,
        prompts: Sequence[str],
        steps: int | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> Tensor:
        """One image for each prompt: float32 [N, C, H, W] in [-1, 1].

        Args:
            steps: absent: as the settings have it.
        """
        steps, device = steps or self._settings.sampling_steps, device_of_network(unet)
        shape = (len(prompts), *self._prepared.latents.shape[1:])
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(_SEED))
        starts = range(0, len(prompts), self._at_once)
        images = []
        for index, start in enumerate(starts):
            span = slice(start, start + self._at_once)
            context = self._prepared.prompt_context(prompts[span]).to(device)

            def report(share: float, index: int = index) -> None:
                progress((index + share) / len(starts))

            latents = denoise(
                partial(self._predict, unet, context),
                noise[span].to(device),
                self._process,
                sampler=self._settings.sampler,
                steps=steps,
                limit=self._limit,
                progress=report,
            )
            images.append(self._prepared.codec.decode(latents.cpu()))
        return torch.cat(images)

    def _predict(self, unet: nn.Module, context: Tensor, noisy: Tensor, timestep: Tensor) -> Tensor:
        guidance, times = self._settings.guidance, timestep.to(noisy.device).expand(len(noisy))
        if guidance == 1:
            alone: Tensor = unet(noisy, times, context)
            return alone
        null = self._prepared.null_context.to(context).expand_as(context)
        both: Tensor = unet(noisy.repeat(2, 1, 1, 1), times.repeat(2), torch.cat([context, null]))
        prompted, unprompted = both.chunk(2)
        return unprompted + guidance * (prompted - unprompted)
