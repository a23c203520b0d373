"""How the learning rate rises and falls over a training, as a share of ``learning_rate``."""

import math

from archlab.training.settings import TrainingSettings


def learning_rate_at(step: int, steps: int, settings: TrainingSettings) -> float:
    """The learning rate of a step, counted from 1, of a training of so many.

    It rises linearly to the full one at step ``warmup_steps``, then decays to 0 at the last step: diffusers'
    ``get_scheduler`` one step ahead, so that the first step of a warm-up moves the weights, too.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * step / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    match settings.decay:
        case "constant":
            return settings.learning_rate
        case "linear":
            return settings.learning_rate * (1 - done)
        case "cosine":
            return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
