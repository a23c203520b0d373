"""The networks of an export, each as a function of single tensors: what converters take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.convert import FlatInputs, example_inputs
from archlab.encoders.clip import Clip
from archlab.encoders.vae import Vae
from archlab.model import Model
from archlab.unet import UNet
from archlab.unet.controlled import ControlNetwork
from archlab.unet.controlnet import PICTURE_CHANNELS
from archlab.unet.residuals import Residuals
from archlab.unet.untrained import untrained

WEIGHTS_SEED = 0
CONTROLLED_UNET = "controlled_unet"


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """One network, for a batch of one.

    Attributes:
        name: its role, and the stem of its files: ``unet``, ``text_encoder``, ``decoder``.
        module: takes tensors, gives one or several.
        inputs: examples by the names of ``module.forward``'s arguments.
        outputs: what it gives.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class ControlNetworks:
    """What draws along a picture beside the plain networks.

    Attributes:
        unet: takes residuals: ``controlled_unet``.
        network: gives them: ``controlnet``, which runs beside every pass, or ``adapter``, which runs once an image.
        made_for: what they are made of.
    """

    unet: Network
    network: Network
    made_for: ControlNetwork

    def __iter__(self) -> Iterator[Network]:
        return iter((self.unet, self.network))


@dataclass(frozen=True, eq=False, kw_only=True)
class Networks:
    """All of an export, in the order in which an image needs them.

    Attributes:
        text_encoder: tokens → context; None where there is none, or it is no network.
        decoder: latents → image; None where the UNet draws pixels.
        control: None without one.
        model: that they are of; None for random weights.
    """

    unet: Network
    text_encoder: Network | None = None
    decoder: Network | None = None
    control: ControlNetworks | None = None
    model: Model | None = None

    def __iter__(self) -> Iterator[Network]:
        return iter([*self.plain, *(self.control or ())])

    @property
    def plain(self) -> list[Network]:
        """Those that draw without a control."""
        return [network for network in (self.text_encoder, self.unet, self.decoder) if network is not None]


def networks_of_architecture(spec: UNetSpec) -> Networks:
    """The UNet as it is deployed, with random weights, always the same."""
    deployed = spec.deployed
    return Networks(unet=unet_network(untrained(deployed, WEIGHTS_SEED), example_inputs(deployed)))


def networks_of_model(model: Model, control: ControlNetwork | None = None) -> Networks:
    """All that are needed to draw with it; they share its weights.

    Word vectors are no network: a program computes them.
    """
    spec, text, codec = model.spec, model.text, model.codec
    inputs = example_inputs(replace(spec, context_length=text.length))
    return Networks(
        unet=unet_network(model.unet, inputs),
        control=None if control is None else _control_networks(model, control, inputs),
        text_encoder=_text_encoder(text) if isinstance(text, Clip) else None,
        decoder=_decoder(codec, spec.sample_size) if isinstance(codec, Vae) else None,
        model=model,
    )


def unet_network(unet: UNet, inputs: Mapping[str, Tensor]) -> Network:
    """Inputs as in `example_inputs`; what it predicts has the shape of ``sample``."""
    return Network(name="unet", module=FlatInputs(unet).eval(), inputs=inputs, outputs=("prediction",))


class ControlledInputs(nn.Module):
    """A UNet whose residuals come as single tensors, ``residual_0``, ``residual_1`` …."""

    def __init__(self, unet: UNet, of_stages: bool) -> None:
        super().__init__()
        self.unet, self._of_stages = unet, of_stages

    def forward(
        self, sample: Tensor, timestep: Tensor, context: Tensor, guidance: Tensor | None = None, **residuals: Tensor
    ) -> Tensor:
        given = Residuals.of_tensors(list(residuals.values()), of_stages=self._of_stages)
        out: Tensor = self.unet(sample, timestep, context, guidance=guidance, residuals=given)
        return out


class ResidualTensors(nn.Module):
    """What a control network gives as a list of tensors."""

    def __init__(self, network: ControlNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, **inputs: Tensor) -> list[Tensor]:
        residuals: Residuals = self.network(**inputs)
        return residuals.tensors


class TokensToContext(nn.Module):
    """CLIP's text model as a function of one tensor: ``tokens``, int32 [1, L] → [1, L, D]."""

    def __init__(self, model: Any, length: int) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("positions", torch.arange(length)[None], persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        context: Tensor = self.model(input_ids=tokens, position_ids=self.positions).last_hidden_state
        return context


class LatentsToImage(nn.Module):
    """A VAE's second half, its ``post_quant_conv`` too, as a function of one tensor.

    ``latents`` are as the VAE encodes them, neither shifted nor scaled: [1, C, S, S] → [1, 3, H, W] in about [-1, 1].
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor) -> Tensor:
        image: Tensor = self.model.decode(latents).sample
        return image


def _control_networks(model: Model, control: ControlNetwork, inputs: Mapping[str, Tensor]) -> ControlNetworks:
    size = model.facts.image_size
    picture = torch.rand(1, PICTURE_CHANNELS, size, size, generator=torch.Generator().manual_seed(0))
    seen = {} if control.runs_once else {name: inputs[name] for name in ("sample", "timestep", "context")}
    module = ResidualTensors(control).eval()
    network_inputs = {**seen, "picture": picture}
    with torch.no_grad():
        made = module(**network_inputs)
    names = tuple(f"residual_{number}" for number in range(len(made)))
    controlled = ControlledInputs(model.unet, of_stages=control.runs_once).eval()
    return ControlNetworks(
        unet=Network(
            name=CONTROLLED_UNET,
            module=controlled,
            inputs={**inputs, **dict(zip(names, made, strict=True))},
            outputs=("prediction",),
        ),
        network=Network(
            name="adapter" if control.runs_once else "controlnet",
            module=module,
            inputs=network_inputs,
            outputs=names,
        ),
        made_for=control,
    )


def _text_encoder(clip: Clip) -> Network:
    tokens = clip.tokenizer("", padding="max_length", max_length=clip.length, return_tensors="pt")["input_ids"]
    module = TokensToContext(clip.model, clip.length).eval()
    return Network(name="text_encoder", module=module, inputs={"tokens": tokens.int()}, outputs=("context",))


def _decoder(vae: Vae, sample_size: int) -> Network:
    latents = torch.randn(1, vae.channels, sample_size, sample_size, generator=torch.Generator().manual_seed(0))
    return Network(
        name="decoder", module=LatentsToImage(vae.model).eval(), inputs={"latents": latents}, outputs=("image",)
    )
