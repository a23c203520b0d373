"""A model that draws through what was exported of it."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from types import SimpleNamespace
from typing import cast

import torch
from torch import Tensor, nn

from archlab.encoders.clip import Clip
from archlab.encoders.vae import Vae
from archlab.export.forms.form import Run
from archlab.model import Model
from archlab.unet import UNet


def through(model: Model, runs: Mapping[str, Run]) -> tuple[Model, "RuntimeUNet"]:
    """The model with these networks in a runtime, by their names, and its UNet, which counts its passes.

    Everything else is as in the model: noise, scheduler, guidance. It draws on the CPU.
    """
    unet = RuntimeUNet(model.unet, runs["unet"])
    text, codec = model.text, model.codec
    if isinstance(text, Clip) and "text_encoder" in runs:
        text = copy.copy(text)
        text.model = _TextModel(runs["text_encoder"])
    if isinstance(codec, Vae) and "decoder" in runs:
        codec = copy.copy(codec)
        codec.model = _ImageDecoder(runs["decoder"])
    return replace(model, unet=cast(UNet, unet), text=text, codec=codec), unet


class RuntimeUNet(nn.Module):
    """A UNet that a runtime computes, image by image.

    Attributes:
        spec: of the UNet that it stands for.
        pass_ms: how long each pass took.
    """

    def __init__(self, unet: UNet, run: Run) -> None:
        super().__init__()
        self.spec, self._run = unet.spec, run
        self.pass_ms: list[float] = []

    def forward(
        self, sample: Tensor, timestep: Tensor, context: Tensor, added: None = None, guidance: Tensor | None = None
    ) -> Tensor:
        """Shapes as `UNet` has them."""
        inputs = {"sample": sample, "timestep": timestep.float(), "context": context}
        if guidance is not None:
            inputs["guidance"] = guidance
        return torch.cat(
            [self._pass({name: x[index : index + 1] for name, x in inputs.items()}) for index in range(len(sample))]
        )

    def _pass(self, inputs: Mapping[str, Tensor]) -> Tensor:
        start = perf_counter()
        prediction = self._run(inputs)
        self.pass_ms.append(1000 * (perf_counter() - start))
        return prediction


class _TextModel:
    """In the place of transformers' model."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, tokens: Tensor) -> SimpleNamespace:
        contexts = [self._run({"tokens": row[None].int()}) for row in tokens]
        return SimpleNamespace(last_hidden_state=torch.cat(contexts))


class _ImageDecoder:
    """In the place of diffusers' model."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def decode(self, latents: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=torch.cat([self._run({"latents": latent[None]}) for latent in latents]))
