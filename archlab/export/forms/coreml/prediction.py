"""What a model's UNet predicts, as its scheduler says, and how ε follows from it."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.objectives.epsilon import EPSILON
from archlab.diffusion.objectives.flow import FLOW
from archlab.diffusion.objectives.objective import Objective
from archlab.errors import RunFailed


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network predicts of ``z = α x + σ ε``.

    Attributes:
        levels: α and σ by time step: [T, 2]; None on the straight path, where σ = t / T, and where ε needs neither.
        times: T.
    """

    objective: Objective
    levels: Tensor | None = None
    times: int = 1000

    @property
    def last(self) -> int:
        """The last time step with an α over 0: at later ones z is all noise, and ε says nothing of the image."""
        if self.levels is None or self.objective is EPSILON:
            return self.times - 1
        return int(self.levels[:, 0].nonzero().max())

    def noise(self, prediction: Tensor, noisy: Tensor, timestep: Tensor) -> Tensor:
        """ε: [B, C, H, W], of time steps [B]."""
        return self.objective.noise(noisy, prediction, *self._at(timestep))

    def prediction(self, noise: Tensor, noisy: Tensor, timestep: Tensor) -> Tensor:
        """What the network predicts where it means this ε, at time steps up to ``last``."""
        if self.objective is EPSILON:
            return noise
        alpha, sigma = self._at(timestep)
        return self.objective.target((noisy - sigma * noise) / alpha, noise, alpha, sigma)

    def _at(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """α and σ: [B, 1, 1, 1]."""
        if self.levels is None:
            sigma = (timestep / self.times).reshape(-1, 1, 1, 1)
            return 1 - sigma, sigma
        alpha, sigma = F.embedding(timestep.long(), self.levels).unbind(-1)
        return alpha.reshape(-1, 1, 1, 1), sigma.reshape(-1, 1, 1, 1)


NOISE = Prediction(EPSILON)
"""ε itself, whatever the schedule."""


def prediction_of(scheduler: Any) -> Prediction:
    """What a network that is drawn with this scheduler of diffusers' predicts.

    Raises:
        RunFailed: something that is none of archlab's objectives.
    """
    config = scheduler.config
    kind = config.get("prediction_type", FLOW.prediction_type)  # FlowMatchEulerDiscreteScheduler does not say it
    by_kind = {OBJECTIVES[name].prediction_type: OBJECTIVES[name] for name in OBJECTIVES.names}
    if kind not in by_kind:
        raise RunFailed(f"the UNet predicts {kind}, which is not turned into ε")
    if by_kind[kind] is EPSILON:
        return NOISE
    if by_kind[kind] is FLOW:
        return Prediction(FLOW, times=config.num_train_timesteps)
    signal = scheduler.alphas_cumprod.float()
    return Prediction(by_kind[kind], torch.stack([signal**0.5, (1 - signal) ** 0.5], dim=1), len(signal))
