"""A model's networks with the names, shapes and types of ml-stable-diffusion's Swift package."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from archlab.encoders.vae import Vae
from archlab.export.forms.coreml.prediction import NOISE, Prediction, prediction_of
from archlab.export.networks import Network, Networks

_PACKAGE_NAMES = {  # others are as the network has them
    "context": "encoder_hidden_states",
    "guidance": "timestep_cond",
    "picture": "controlnet_cond",
}


class Part(ABC):
    """One network for one package.

    Attributes:
        stem: of the package's name.
        outputs: its outputs, in float32.
        module: takes what the package takes, in float32.
    """

    stem: ClassVar[str]
    outputs: tuple[str, ...]
    module: nn.Module

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def examples(self) -> Mapping[str, Tensor]:
        """Inputs of the package, by name."""
        return self.given(self.network.inputs)

    @abstractmethod
    def given(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the package is given for the network's own inputs, a batch of one."""

    def own_outputs(self, outputs: Sequence[Tensor], own: Mapping[str, Tensor]) -> Sequence[Tensor]:
        """The network's own outputs of what the package gave."""
        return outputs

    def exact_inputs(self) -> tuple[str, ...]:
        """Those that are float32 in a package that computes in float16."""
        return ()


class TextEncoderPart(Part):
    """``input_ids`` as floating numbers [1, L] → ``last_hidden_state`` [1, L, D]."""

    stem, outputs = "TextEncoder", ("last_hidden_state",)

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.module = _FloatTokens(network.module).eval()

    def given(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"input_ids": own["tokens"].float()}

    def exact_inputs(self) -> tuple[str, ...]:
        """float16 does not have every whole number over 2,048."""
        return ("input_ids",)


class UNetPart(Part):
    """``sample`` [B, C, S, S], ``timestep`` [B], ``encoder_hidden_states`` [B, D, 1, L] → ``noise_pred``: ε, whatever
    the network predicts.

    Args:
        batch: B: 2 for guidance.
    """

    stem: ClassVar[str] = "Unet"
    outputs = ("noise_pred",)

    def __init__(self, network: Network, prediction: Prediction, batch: int) -> None:
        super().__init__(network)
        self._prediction, self._batch = prediction, batch
        self.module = _NoiseOf(network.module, prediction).eval()

    def given(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        moved = dict(own)
        moved["timestep"] = own["timestep"].clamp(max=self._prediction.last)
        moved["context"] = own["context"].transpose(1, 2)[:, :, None]
        return {_package_name(name): _repeated(tensor, self._batch) for name, tensor in moved.items()}

    def own_outputs(self, outputs: Sequence[Tensor], own: Mapping[str, Tensor]) -> Sequence[Tensor]:
        timestep = own["timestep"].clamp(max=self._prediction.last)
        return [self._prediction.prediction(outputs[0][:1], own["sample"], timestep)]

    def exact_inputs(self) -> tuple[str, ...]:
        """Rounding z to float16 would cost x̂ = (z − σ ε) / α as much as σ² / α times that, where ε is made of z."""
        return () if self._prediction is NOISE else ("sample", "timestep")


class ControlledUNetPart(UNetPart):
    """Likewise, with ``additional_residual_0`` …: of a ControlNet one for each skip and the last for the middle; of an
    adapter one for each stage."""

    stem = "ControlledUnet"


class ControlNetPart(Part):
    """As `UNetPart`, with ``controlnet_cond`` [B, 3, H, W] in [0, 1] → ``additional_residual_0`` …."""

    stem = "controlnet/ControlNet"

    def __init__(self, network: Network, batch: int) -> None:
        super().__init__(network)
        self.outputs, self._batch = tuple(map(_package_name, network.outputs)), batch
        self.module = _PackagedControlNet(network.module).eval()

    def given(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        moved = {**own, "context": own["context"].transpose(1, 2)[:, :, None]}
        return {_package_name(name): _repeated(tensor, self._batch) for name, tensor in moved.items()}

    def own_outputs(self, outputs: Sequence[Tensor], own: Mapping[str, Tensor]) -> Sequence[Tensor]:
        return [output[:1] for output in outputs]


class AdapterPart(Part):
    """``controlnet_cond`` [1, 3, H, W] in [0, 1] → ``additional_residual_0`` …, once an image."""

    stem = "Adapter"

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.outputs = tuple(map(_package_name, network.outputs))
        self.module = _PackagedAdapter(network.module).eval()

    def given(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {_package_name(name): tensor for name, tensor in own.items()}


class DecoderPart(Part):
    """``z``, latents divided by ``scale``, [1, C, S, S] → ``image`` [1, 3, H, W] in about [-1, 1].

    Attributes:
        scale: the Swift package's ``decoderScaleFactor``. 1 where channels have scales of their own: these, and a
            shift, are in the package.
    """

    stem, outputs = "VAEDecoder", ("image",)

    def __init__(self, network: Network, vae: Vae) -> None:
        super().__init__(network)
        self.scale = vae.scale.item() if vae.scale.numel() == 1 else 1.0
        self._factor, self._shift = self.scale / vae.scale.cpu(), vae.shift.cpu()
        self.module = _ShiftedLatents(network.module, self._factor, self._shift).eval()

    def given(self, own: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"z": (own["latents"] - self._shift) / self._factor}


def parts_of(networks: Networks, unet_batch: int) -> list[Part]:
    """Those that there are, in the order of drawing.

    Raises:
        RunFailed: see `prediction_of`.
    """
    model = networks.model
    predicted = NOISE if model is None else prediction_of(model.scheduler)
    parts: list[Part] = [] if networks.text_encoder is None else [TextEncoderPart(networks.text_encoder)]
    parts.append(UNetPart(networks.unet, predicted, unet_batch))
    if networks.decoder is not None and model is not None and isinstance(model.codec, Vae):
        parts.append(DecoderPart(networks.decoder, model.codec))
    if networks.control is not None:
        parts.append(ControlledUNetPart(networks.control.unet, predicted, unet_batch))
        network, runs_once = networks.control.network, networks.control.made_for.runs_once
        parts.append(AdapterPart(network) if runs_once else ControlNetPart(network, unet_batch))
    return parts


def _package_name(name: str) -> str:
    """ml-stable-diffusion's name of an input or output."""
    return f"additional_{name}" if name.startswith("residual_") else _PACKAGE_NAMES.get(name, name)


def _repeated(tensor: Tensor, batch: int) -> Tensor:
    return tensor.repeat(batch, *[1] * (tensor.dim() - 1))


class _FloatTokens(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input_ids: Tensor) -> Tensor:
        context: Tensor = self.module(input_ids.int())
        return context


class _NoiseOf(nn.Module):
    def __init__(self, module: nn.Module, prediction: Prediction) -> None:
        super().__init__()
        self.module, self._prediction = module, prediction

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        timestep_cond: Tensor | None = None,
        **further: Tensor,
    ) -> Tensor:
        named = {name.removeprefix("additional_"): tensor for name, tensor in further.items()}
        context = encoder_hidden_states.squeeze(2).transpose(1, 2)
        predicted = self.module(sample, timestep, context, guidance=timestep_cond, **named)
        return self._prediction.noise(predicted, sample, timestep)


class _PackagedControlNet(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, controlnet_cond: Tensor
    ) -> list[Tensor]:
        context = encoder_hidden_states.squeeze(2).transpose(1, 2)
        made: list[Tensor] = self.module(sample=sample, timestep=timestep, context=context, picture=controlnet_cond)
        return made


class _PackagedAdapter(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, controlnet_cond: Tensor) -> list[Tensor]:
        made: list[Tensor] = self.module(picture=controlnet_cond)
        return made


class _ShiftedLatents(nn.Module):
    def __init__(self, module: nn.Module, factor: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.module, self._factor, self._shift = module, factor, shift

    def forward(self, z: Tensor) -> Tensor:
        if (self._factor != 1).any():
            z = z * self._factor
        if (self._shift != 0).any():
            z = z + self._shift
        image: Tensor = self.module(z)
        return image
