"""A UNet's inputs by name, and the UNet as a function of them alone."""

import torch
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.unet import UNet


def example_inputs(spec: UNetSpec, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs for a batch of one, in the order of `FlatInputs.forward`; the same seed gives the same.

    ``sample`` [1, C, S, S], ``timestep`` [1], ``context`` [1, L, D] and, for added conditioning,
    ``text_embeds`` [1, text_dim] and ``time_ids`` [1, ids], for a guidance embedding ``guidance`` [1, guidance_dim];
    all float32.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    inputs = {
        "sample": normal(1, spec.in_channels, spec.sample_size, spec.sample_size),
        "timestep": torch.randint(1000, (1,), generator=generator).float(),
        "context": normal(1, spec.context_length, spec.context_dim),
    }
    if spec.added is not None:
        inputs["text_embeds"] = normal(1, spec.added.text_dim)
        inputs["time_ids"] = torch.randint(1025, (1, spec.added.time_ids), generator=generator).float()
    if spec.guidance_dim is not None:
        inputs["guidance"] = normal(1, spec.guidance_dim)
    return inputs


class FlatInputs(nn.Module):
    """A UNet whose added conditioning comes as single tensors: what converters take."""

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        text_embeds: Tensor | None = None,
        time_ids: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """Shapes as in `example_inputs`. Returns [1, C, S, S]."""
        added = None
        if text_embeds is not None and time_ids is not None:
            added = {"text_embeds": text_embeds, "time_ids": time_ids}
        out: Tensor = self.unet(sample, timestep, context, added, guidance)
        return out
