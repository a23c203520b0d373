"""A model that draws through what was exported of it."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from types import SimpleNamespace
from typing import cast

import torch
from torch import Tensor, nn

from archlab.encoders.clip import Clip
from archlab.encoders.vae import Vae
from archlab.export.forms.form import Run
from archlab.export.networks import CONTROLLED_UNET
from archlab.model import Model
from archlab.unet import UNet
from archlab.unet.controlled import ControlNetwork
from archlab.unet.residuals import NO_RESIDUALS, Residuals


def through(model: Model, runs: Mapping[str, Run]) -> tuple[Model, "RuntimeUNet"]:
    """The model with these networks in a runtime, by their names, and its UNet, which counts its passes.

    Everything else is as in the model: noise, scheduler, guidance. It draws on the CPU.
    """
    unet = RuntimeUNet(model.unet, runs["unet"], runs.get(CONTROLLED_UNET))
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

    def __init__(self, unet: UNet, run: Run, controlled: Run | None) -> None:
        super().__init__()
        self.spec, self._run, self._controlled = unet.spec, run, controlled
        self.pass_ms: list[float] = []

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        context: Tensor,
        added: None = None,
        guidance: Tensor | None = None,
        residuals: Residuals = NO_RESIDUALS,
    ) -> Tensor:
        """Shapes as `UNet` has them."""
        inputs = {"sample": sample, "timestep": timestep.float(), "context": context}
        if guidance is not None:
            inputs["guidance"] = guidance
        added_tensors = residuals.tensors
        inputs |= {f"residual_{number}": tensor for number, tensor in enumerate(added_tensors)}
        run = self._controlled if added_tensors else self._run
        assert run is not None  # whoever has residuals has exported what takes them
        return torch.cat([self._pass(run, image) for image in _images(inputs)])

    def _pass(self, run: Run, inputs: Mapping[str, Tensor]) -> Tensor:
        start = perf_counter()
        (prediction,) = run(inputs)
        self.pass_ms.append(1000 * (perf_counter() - start))
        return prediction


class RuntimeControl(nn.Module):
    """A control network that a runtime computes, image by image.

    Attributes:
        runs_once: see `ControlNet`.
        run_ms: how long each run took.
    """

    def __init__(self, network: ControlNetwork, run: Run) -> None:
        super().__init__()
        self.runs_once, self._run = network.runs_once, run
        self.run_ms: list[float] = []

    def forward(self, *inputs: Tensor) -> Residuals:
        """Arguments as `ControlNet` or `Adapter` has them."""
        names = ("picture",) if self.runs_once else ("sample", "timestep", "context", "picture")
        named = {name: x.float() for name, x in zip(names, inputs, strict=True)}
        rows = [self._timed(image) for image in _images(named)]
        tensors = [torch.cat(row) for row in zip(*rows, strict=True)]
        return Residuals.of_tensors(tensors, of_stages=self.runs_once)

    def _timed(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        start = perf_counter()
        tensors = self._run(inputs)
        self.run_ms.append(1000 * (perf_counter() - start))
        return tensors


def _images(inputs: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Those of each image of a batch, as a batch of one."""
    for index in range(len(next(iter(inputs.values())))):
        yield {name: x[index : index + 1] for name, x in inputs.items()}


class _TextModel:
    """In the place of transformers' model."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, tokens: Tensor) -> SimpleNamespace:
        contexts = [self._run({"tokens": row[None].int()})[0] for row in tokens]
        return SimpleNamespace(last_hidden_state=torch.cat(contexts))


class _ImageDecoder:
    """In the place of diffusers' model."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def decode(self, latents: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=torch.cat([self._run({"latents": latent[None]})[0] for latent in latents]))
