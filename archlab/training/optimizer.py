"""AdamW over parameters that lie in one piece of memory: what is done with all of them is one operation."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from archlab.training.processes import ALONE, Processes

MAX_GRADIENT_NORM = 1.0


class FlatAdamW:
    """AdamW with clipped gradients; its state goes into a checkpoint and comes back bit for bit.

    Args:
        parameters: all on one device; they become views of one tensor's parts, and so do their gradients.
        processes: whose gradients are averaged.
        momentum: β₁.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rate: float,
        processes: Processes = ALONE,
        *,
        momentum: float = 0.9,
    ) -> None:
        self._flat = flatten(list(parameters))
        self._adamw = torch.optim.AdamW([self._flat], lr=learning_rate, betas=(momentum, 0.999), fused=True)
        self._processes = processes

    def step(self, learning_rate: float | None = None) -> None:
        """Take one step along the gradients that were added up since the last one, and clear them.

        Args:
            learning_rate: of this step and those after it; absent: that of the step before.
        """
        if learning_rate is not None:
            self._adamw.param_groups[0]["lr"] = learning_rate
        gradient = gradient_of(self._flat)
        self._processes.average(gradient)
        torch.nn.utils.clip_grad_norm_(self._flat, MAX_GRADIENT_NORM)
        self._adamw.step()
        gradient.zero_()

    def state(self) -> dict[str, Tensor]:
        """The moments; nothing before the first step."""
        return dict(self._adamw.state_dict()["state"].get(0, {}))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        moments = {0: dict(state)} if state else {}
        self._adamw.load_state_dict({**self._adamw.state_dict(), "state": moments})


def flatten(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """All of them as one, [P], with a gradient of zeros; they and their gradients become views of its parts.

    A backward pass adds to a gradient that is there, so there is never a second one in memory.
    """
    flat = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    sizes = [parameter.numel() for parameter in parameters]
    parts = zip(torch.split(flat.detach(), sizes), torch.split(flat.grad, sizes), strict=True)
    for parameter, (values, gradient) in zip(parameters, parts, strict=True):
        parameter.data, parameter.grad = values.view_as(parameter), gradient.view_as(parameter)
    return flat


def gradient_of(flat: nn.Parameter) -> Tensor:
    """That of what `flatten` made: [P]."""
    assert flat.grad is not None
    return flat.grad
