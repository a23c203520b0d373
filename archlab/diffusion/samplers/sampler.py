"""What a sampler does, and the walk along the steps of one of diffusers' schedulers."""

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from archlab.diffusion.process import Process
from archlab.progress import ShareDone

Predict = Callable[[Tensor, Tensor], Tensor]  # noisy latents [B, C, H, W], time step [] → prediction [B, C, H, W]


class Sampler(Protocol):
    """A function from standard normal noise to latents, both [B, C, H, W], in deterministic steps."""

    def __call__(
        self, predict: Predict, noise: Tensor, process: Process, *, steps: int, limit: float, progress: ShareDone
    ) -> Tensor:
        """The latents.

        Args:
            predict: what a network says of noisy latents at a time step, in the process's objective.
            limit: no latent is larger. Where little but noise is left, a prediction's smallest error means a latent far
                beyond; it is cut off there.
            progress: called after every step.
        """


def walk(
    scheduler: Any,
    predict: Predict,
    noise: Tensor,
    process: Process,
    *,
    steps: int,
    limit: float,
    progress: ShareDone,
) -> Tensor:
    """Latents by a scheduler of diffusers' whose time steps are set: [B, C, H, W].

    One that is set to the prediction type ``sample`` is given clean latents, within the limit.
    """
    wants_clean = scheduler.config.get("prediction_type") == "sample"
    scales = hasattr(scheduler, "scale_model_input")
    sample = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    for index, timestep in enumerate(scheduler.timesteps, start=1):
        given = scheduler.scale_model_input(sample, timestep) if scales else sample
        answer = predict(given, timestep)
        if wants_clean:
            answer = process.clean(given, answer, timestep).clamp(-limit, limit)
        sample = scheduler.step(answer, timestep, sample).prev_sample
        progress(index / steps)
    return sample
