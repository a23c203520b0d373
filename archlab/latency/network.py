"""What is measured: a network by its content hash, built only when it must be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from archlab.architecture import UNetSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


class Built(NamedTuple):
    """A module in eval mode, and inputs for a batch of one by the names of its ``forward``'s arguments, in order."""

    module: "nn.Module"
    inputs: "dict[str, Tensor]"


@dataclass(frozen=True, kw_only=True)
class Network:
    """Something with a latency: a whole UNet, one of its blocks, a text encoder, an image decoder.

    Attributes:
        id: content hash; equal only where the built networks are.
        name: what a person calls it, for messages.
        build: the network with random weights and example inputs, for a seed; imports torch.
    """

    id: str
    name: str
    build: Callable[[int], Built]


def as_network(subject: UNetSpec | Network) -> Network:
    """A spec's UNet, or the network itself."""
    return unet_network(subject) if isinstance(subject, UNetSpec) else subject


def unet_network(spec: UNetSpec) -> Network:
    """The UNet as it is deployed, see `UNetSpec.deployed`."""
    deployed = spec.deployed

    def build_unet(seed: int) -> Built:
        import torch

        from archlab.convert import FlatInputs, example_inputs
        from archlab.unet import build

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            unet = build(deployed)
        return Built(FlatInputs(unet).eval(), example_inputs(deployed, seed))

    return Network(id=deployed.id, name=deployed.id, build=build_unet)
