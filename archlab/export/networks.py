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
from archlab.unet.untrained import untrained

WEIGHTS_SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """One network, for a batch of one.

    Attributes:
        name: its role, and the stem of its files: ``unet``, ``text_encoder``, ``decoder``.
        module: takes tensors, gives one.
        inputs: examples by the names of ``module.forward``'s arguments.
        output: what it gives.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    output: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Networks:
    """All of an export, in the order in which an image needs them.

    Attributes:
        text_encoder: tokens → context; None where there is none, or it is no network.
        decoder: latents → image; None where the UNet draws pixels.
        model: that they are of; None for random weights.
    """

    unet: Network
    text_encoder: Network | None = None
    decoder: Network | None = None
    model: Model | None = None

    def __iter__(self) -> Iterator[Network]:
        return iter([network for network in (self.text_encoder, self.unet, self.decoder) if network is not None])


def networks_of_architecture(spec: UNetSpec) -> Networks:
    """The UNet as it is deployed, with random weights, always the same."""
    deployed = spec.deployed
    return Networks(unet=unet_network(untrained(deployed, WEIGHTS_SEED), example_inputs(deployed)))


def networks_of_model(model: Model) -> Networks:
    """All that are needed to draw with it; they share its weights.

    Word vectors are no network: a program computes them.
    """
    spec, text, codec = model.spec, model.text, model.codec
    return Networks(
        unet=unet_network(model.unet, example_inputs(replace(spec, context_length=text.length))),
        text_encoder=_text_encoder(text) if isinstance(text, Clip) else None,
        decoder=_decoder(codec, spec.sample_size) if isinstance(codec, Vae) else None,
        model=model,
    )


def unet_network(unet: UNet, inputs: Mapping[str, Tensor]) -> Network:
    """Inputs as in `example_inputs`; what it predicts has the shape of ``sample``."""
    return Network(name="unet", module=FlatInputs(unet).eval(), inputs=inputs, output="prediction")


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


def _text_encoder(clip: Clip) -> Network:
    tokens = clip.tokenizer("", padding="max_length", max_length=clip.length, return_tensors="pt")["input_ids"]
    module = TokensToContext(clip.model, clip.length).eval()
    return Network(name="text_encoder", module=module, inputs={"tokens": tokens.int()}, output="context")


def _decoder(vae: Vae, sample_size: int) -> Network:
    latents = torch.randn(1, vae.channels, sample_size, sample_size, generator=torch.Generator().manual_seed(0))
    return Network(name="decoder", module=LatentsToImage(vae.model).eval(), inputs={"latents": latents}, output="image")
