"""The networks of an export, each as a function of single tensors: what converters take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.convert import FlatInputs, example_inputs
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
    """

    unet: Network
    text_encoder: Network | None = None
    decoder: Network | None = None

    def __iter__(self) -> Iterator[Network]:
        return iter([network for network in (self.text_encoder, self.unet, self.decoder) if network is not None])


def networks_of_architecture(spec: UNetSpec) -> Networks:
    """The UNet as it is deployed, with random weights, always the same."""
    deployed = spec.deployed
    return Networks(unet=unet_network(untrained(deployed, WEIGHTS_SEED), example_inputs(deployed)))


def unet_network(unet: UNet, inputs: Mapping[str, Tensor]) -> Network:
    """Inputs as in `example_inputs`; what it predicts has the shape of ``sample``."""
    return Network(name="unet", module=FlatInputs(unet).eval(), inputs=inputs, output="prediction")
