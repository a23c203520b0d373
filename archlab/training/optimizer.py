"""AdamW over parameters that lie in one piece of memory: what is done with all of them is one operation."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

MAX_GRADIENT_NORM = 1.0


class FlatAdamW:
    """AdamW with clipped gradients; its state goes into a checkpoint and comes back bit for bit.

    Args:
        parameters: all on one device; they become views of one tensor's parts.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        self._parameters = list(parameters)
        self._flat = flatten(self._parameters)
        self._adamw = torch.optim.AdamW([self._flat], lr=learning_rate, fused=True)

    def step(self, learning_rate: float | None = None) -> None:
        """Take one step along the gradients that the parameters have, and clear them.

        Args:
            learning_rate: of this step and those after it; absent: that of the step before.
        """
        if learning_rate is not None:
            self._adamw.param_groups[0]["lr"] = learning_rate
        gather_gradients(self._flat, self._parameters)
        torch.nn.utils.clip_grad_norm_(self._flat, MAX_GRADIENT_NORM)
        self._adamw.step()

    def state(self) -> dict[str, Tensor]:
        """The moments; nothing before the first step."""
        return dict(self._adamw.state_dict()["state"].get(0, {}))

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        moments = {0: dict(state)} if state else {}
        self._adamw.load_state_dict({**self._adamw.state_dict(), "state": moments})


def flatten(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """All of them as one, [P]; they become views of its parts, in their order."""
    flat = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    parts = torch.split(flat.detach(), [parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part.view_as(parameter)
    return flat


def gather_gradients(flat: nn.Parameter, parameters: Sequence[nn.Parameter]) -> None:
    """Hand the gradients of the ``parameters``, zero where there is none, on to what `flatten` made of them."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat.grad = torch.cat([gradient.flatten() for gradient in gradients])
    for parameter in parameters:
        parameter.grad = None
