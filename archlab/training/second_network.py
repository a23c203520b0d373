"""A network that learns beside the one that is trained: a discriminator, or what a generator's images look like."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from archlab.checkpoint import below, prefixed
from archlab.training.examples import LatentBatch
from archlab.training.optimizer import FlatAdamW
from archlab.training.processes import Processes


class SecondNetwork:
    """Has an optimiser of its own, and needs no gradient but while it learns: others' losses flow through it.

    Args:
        network: on the device on which it learns.
        processes: that train it together.
        momentum: β₁ of AdamW.
    """

    def __init__(
        self, network: nn.Module, learning_rate: float, processes: Processes, *, momentum: float = 0.9
    ) -> None:
        self._network = network.train().requires_grad_(False)
        self._optimizer = FlatAdamW(network.parameters(), learning_rate, processes, momentum=momentum)

    def learn(self, parts: Sequence[LatentBatch], losses: Callable[[LatentBatch], Tensor]) -> None:
        """Take one step along the gradient of the mean loss over all parts of a batch.

        Args:
            losses: of each image of a part: [B].
        """
        images = sum(part.images for part in parts)
        self._network.requires_grad_(True)
        for part in parts:
            torch.autograd.backward(losses(part).sum() / images)
        self._network.requires_grad_(False)
        self._optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """What the next step depends on."""
        return {
            **prefixed("network", self._network.state_dict()),
            **prefixed("optimizer", self._optimizer.state()),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._network.load_state_dict(below("network", state))
        self._optimizer.load_state(below("optimizer", state))
