"""The steps of one of diffusers' schedulers as numbers, so that a program without diffusers takes the same."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict

from archlab.errors import BadInput
from archlab.evaluation.fact import STRICT

Pair = tuple[float, float]  # α and σ of a noisy latent ``α x + σ ε``


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Numbers by step, the noisiest first.

    A step takes the latent z from the noise of ``alphas[i]``, ``sigmas[i]`` to that of ``next_alphas[i]``,
    ``next_sigmas[i]``. With x̂ and ε̂ as the network's prediction means them, and the x̂ of the step before:

        z ← next_alpha · x̂ + next_sigma · ε̂ + correction · (x̂ − x̂_before) + fresh_sigma · ε

    That is DDIM (arXiv 2010.02502) where the corrections and the fresh sigmas are zero, DPM-Solver++ of second order
    (arXiv 2211.01095) with corrections, and the sampler of consistency models (arXiv 2303.01469) with fresh noise ε.

    Attributes:
        init_noise_sigma: what the first noise is multiplied with.
        timesteps: what the network is given.
        fresh_sigmas: of standard normal noise that the step adds.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    init_noise_sigma: float
    timesteps: tuple[float, ...]
    alphas: tuple[float, ...]
    sigmas: tuple[float, ...]
    next_alphas: tuple[float, ...]
    next_sigmas: tuple[float, ...]
    corrections: tuple[float, ...]
    fresh_sigmas: tuple[float, ...]


def steps_of(scheduler: Any, count: int) -> Steps:
    """What this scheduler does in so many steps.

    Args:
        scheduler: one that `expressible` gave.
    """
    scheduler = type(scheduler).from_config(scheduler.config)
    scheduler.set_timesteps(count)
    return _KINDS[type(scheduler).__name__](scheduler)


def expressible(scheduler: Any) -> tuple[Any, str | None]:
    """The scheduler itself where `Steps` can express it, else DDIM of the same noise schedule and a line that says so.

    Raises:
        BadInput: it is neither, like one that follows straight paths by another method.
    """
    name, config = type(scheduler).__name__, scheduler.config
    if name in _KINDS and _has_table(name, config):
        return scheduler, None
    if "beta_schedule" not in config or config.get("use_flow_sigmas"):
        raise BadInput(
            f"scheduler: {name} as it is configured cannot be written as a table of steps; "
            f"use one of {', '.join(_KINDS)}"
        )
    from diffusers import DDIMScheduler

    ddim = DDIMScheduler.from_config(config, clip_sample=config.get("clip_sample", False), thresholding=False)
    return ddim, f"{name} cannot be written as a table of steps: DDIM of the same noise schedule stands in its place"


def _has_table(name: str, config: Any) -> bool:
    if name == "DPMSolverMultistepScheduler":
        chosen = config.algorithm_type, config.solver_type
        if chosen != ("dpmsolver++", "midpoint") or config.solver_order > 2:
            return False
    thresholds = config.get("thresholding") and not (name.startswith("DPM") and config.sample_max_value == 1)
    return not (thresholds or config.get("stochastic_sampling"))


def clip_range(scheduler: Any) -> float | None:
    """What predicted clean latents are cut to; None where they are not.

    Thresholds of at most 1 are 1: diffusers takes the larger one.
    """
    config = scheduler.config
    if config.get("clip_sample"):
        return float(config.clip_sample_range)
    return 1.0 if config.get("thresholding") else None


def _ddim(scheduler: Any) -> Steps:
    stride = scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    timesteps = [int(timestep) for timestep in scheduler.timesteps]

    def at(timestep: int) -> Pair:
        return _of_signal(scheduler.alphas_cumprod[timestep] if timestep >= 0 else scheduler.final_alpha_cumprod)

    return _steps(
        scheduler, [at(timestep) for timestep in timesteps], [at(timestep - stride) for timestep in timesteps]
    )


def _lcm(scheduler: Any) -> Steps:
    """To x̂, and noise again. Of the latent z itself c_skip is kept, next to nothing but at the smallest times."""
    timesteps = scheduler.timesteps.tolist()
    now = [_of_signal(scheduler.alphas_cumprod[timestep]) for timestep in timesteps]
    then = [*now[1:], (1.0, 0.0)]
    shares = [scheduler.get_scalings_for_boundary_condition_discrete(timestep) for timestep in timesteps]
    kept = [  # of x̂ and ε̂ in next_alpha (c_out x̂ + c_skip z)
        (next_alpha * (c_out + c_skip * alpha), next_alpha * c_skip * sigma)
        for (c_skip, c_out), (alpha, sigma), (next_alpha, _) in zip(shares, now, then, strict=True)
    ]
    return _steps(scheduler, now, kept, fresh_sigmas=[sigma for _, sigma in then])


def _euler(scheduler: Any) -> Steps:
    """Its latents are ours divided by α: one more factor in front of the first noise."""
    levels = [_variance_preserving(float(sigma)) for sigma in scheduler.sigmas]
    return _steps(scheduler, levels[:-1], levels[1:], init_factor=levels[0][0])


def _straight_euler(scheduler: Any) -> Steps:
    levels = [_straight(float(sigma)) for sigma in scheduler.sigmas]
    return _steps(scheduler, levels[:-1], levels[1:])


def _dpm(scheduler: Any) -> Steps:
    config, count = scheduler.config, len(scheduler.timesteps)
    level = _straight if config.use_flow_sigmas else _variance_preserving
    levels = [level(float(sigma)) for sigma in scheduler.sigmas]
    ends_plainly = (
        config.euler_at_final or (config.lower_order_final and count < 15) or config.final_sigmas_type == "zero"
    )
    is_second = [config.solver_order == 2 and index > 0 for index in range(count)]
    is_second[-1] = is_second[-1] and not ends_plainly
    corrections = [
        _correction(*levels[index - 1 : index + 2]) if second else 0.0 for index, second in enumerate(is_second)
    ]
    return _steps(scheduler, levels[:-1], levels[1:], corrections=corrections)


def _correction(before: Pair, now: Pair, then: Pair) -> float:
    """Of DPM-Solver++(2M), midpoint: half of (1 / r) (α′ − σ′ α / σ), with r the ratio of both steps in log(α / σ)."""
    last, next_ = _log_ratio(now) - _log_ratio(before), _log_ratio(then) - _log_ratio(now)
    return 0.5 * next_ / last * (then[0] - then[1] * now[0] / now[1])


def _log_ratio(level: Pair) -> float:
    alpha, sigma = level
    return math.log(alpha) - math.log(sigma) if alpha > 0 else -math.inf


def _of_signal(signal: float) -> Pair:
    """α and σ of α²."""
    return math.sqrt(signal), math.sqrt(1 - signal)


def _variance_preserving(ratio: float) -> Pair:
    """α and σ whose ratio σ / α is this."""
    alpha = 1 / math.sqrt(ratio**2 + 1)
    return alpha, ratio * alpha


def _straight(sigma: float) -> Pair:
    return 1 - sigma, sigma


def _steps(
    scheduler: Any,
    now: list[Pair],
    then: list[Pair],
    *,
    corrections: list[float] | None = None,
    fresh_sigmas: list[float] | None = None,
    init_factor: float = 1.0,
) -> Steps:
    return Steps(
        init_noise_sigma=init_factor * float(getattr(scheduler, "init_noise_sigma", 1.0)),
        timesteps=tuple(float(timestep) for timestep in scheduler.timesteps),
        alphas=tuple(alpha for alpha, _ in now),
        sigmas=tuple(sigma for _, sigma in now),
        next_alphas=tuple(alpha for alpha, _ in then),
        next_sigmas=tuple(sigma for _, sigma in then),
        corrections=tuple(corrections or [0.0] * len(now)),
        fresh_sigmas=tuple(fresh_sigmas or [0.0] * len(now)),
    )


_KINDS: dict[str, Callable[[Any], Steps]] = {
    "DDIMScheduler": _ddim,
    "LCMScheduler": _lcm,
    "EulerDiscreteScheduler": _euler,
    "FlowMatchEulerDiscreteScheduler": _straight_euler,
    "DPMSolverMultistepScheduler": _dpm,
}
