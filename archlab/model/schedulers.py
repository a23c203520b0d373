"""Schedulers of diffusers': made for a training's settings, and read from a model's folder."""

from pathlib import Path
from typing import Any

import diffusers
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, LCMScheduler, SchedulerMixin

from archlab.diffusion.configured import configured_process
from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.paths import TRAIN_TIMESTEPS, VariancePreserving
from archlab.diffusion.schedules import SCHEDULES
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.local_models import as_bad_input, quiet
from archlab.errors import BadInput, shown
from archlab.files import read_json

SCHEDULER_FILE = "scheduler_config.json"

_LEAST_LOG_RATIO = -5.1  # of α / σ: beyond it an ε-network's smallest error is a latent far off; as diffusers advises
_BETAS = ("beta_schedule", "beta_start", "beta_end", "trained_betas")


def scheduler_for(settings: DiffusionSettings, sample_size: int, largest: float) -> Any:
    """What a network of these settings is drawn with in as many steps as are asked for.

    DPM-Solver++ of second order from the noisiest time on. Predicted pixels are cut to their range. Latents have none
    that a scheduler of diffusers' cuts to: an ε-network is not asked where next to nothing but noise is left of them.
    (DDIM as pipelines call it keeps ε where it cuts x̂, and drifts: of digits in 50 steps a fifth could not be read.)

    Args:
        sample_size: side of the latents.
        largest: absolute value among the data's latents.
    """
    process = configured_process(settings, sample_size)
    path = process.path
    further: dict[str, Any] = {}
    if not isinstance(path, VariancePreserving):
        shift = sample_size / path.unshifted_side if settings.schedule == "shifted" else 1.0
        further = {"use_flow_sigmas": True, "flow_shift": shift}
    elif largest <= 1:
        further = {"thresholding": True, "sample_max_value": 1.0, **path.betas}
    else:
        limit = {"lambda_min_clipped": _LEAST_LOG_RATIO} if settings.objective == "epsilon" else {}
        further = {**limit, **path.betas}
    return DPMSolverMultistepScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        prediction_type=process.objective.prediction_type,
        timestep_spacing="linspace" if "use_flow_sigmas" in further else "trailing",
        steps_offset=1,  # as pipelines set it, who warn of another; it matters to none of these
        **further,
    )


def few_step_scheduler(settings: DiffusionSettings, sample_size: int, steps: int, *, adds_noise: bool) -> Any:
    """What a network is drawn with that was distilled to so many steps: it takes exactly these.

    On the variance-preserving path DDIM, on the straight one Euler's method, which is DPM-Solver++ of first order. One
    that adds noise between two steps to what it has drawn is the sampler of consistency models.

    Args:
        steps: they divide 1,000, for diffusers rounds times.
        adds_noise: in between; on the straight path there is nothing like it that diffusers' pipelines take.
    """
    process = configured_process(settings, sample_size)
    path, kind = process.path, process.objective.prediction_type
    further: dict[str, Any] = {"num_train_timesteps": TRAIN_TIMESTEPS, "prediction_type": kind, "steps_offset": 1}
    if not isinstance(path, VariancePreserving):
        return DPMSolverMultistepScheduler(solver_order=1, use_flow_sigmas=True, **further)
    further |= {"clip_sample": False, "timestep_spacing": "trailing", **path.betas}
    if adds_noise and steps > 1:
        return LCMScheduler(original_inference_steps=steps, **further)
    return DDIMScheduler(**further)


def most_steps(scheduler: Any) -> int:
    """How many steps it takes at most."""
    config = scheduler.config
    return int(config.get("original_inference_steps", config.num_train_timesteps))


def read_scheduler(folder: Path) -> Any:
    """The scheduler whose ``scheduler_config.json`` lies in the folder.

    Raises:
        BadInput: there is none, or it is not one of diffusers'.
    """
    path = folder / SCHEDULER_FILE
    config = read_json(path)
    name = config.get("_class_name")
    kind = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        raise BadInput(f"{path}: no scheduler of diffusers' is called {shown(name)}; save the model again")
    with quiet(SchedulerMixin), as_bad_input(f"{path}: not a config of {name}"):
        return kind.from_config(config)  # type: ignore[attr-defined]  # diffusers is untyped


def as_pipelines_use_it(scheduler: Any) -> Any:
    """The scheduler as diffusers' ``StableDiffusionPipeline`` changes it, whatever its file says."""
    changes = {"steps_offset": 1} if "steps_offset" in scheduler.config else {}
    if scheduler.config.get("clip_sample") is True:
        changes["clip_sample"] = False
    return type(scheduler).from_config(scheduler.config, **changes)


def settings_of(scheduler: Any, sample_size: int) -> DiffusionSettings | None:
    """What a network drawn with this scheduler was trained to predict; None where archlab has no such schedule."""
    config = scheduler.config
    predicted = config.get("prediction_type")
    for objective in OBJECTIVES.names:
        if OBJECTIVES[objective].prediction_type != predicted:
            continue
        for schedule in SCHEDULES.names:
            settings = DiffusionSettings(objective=objective, schedule=schedule)
            ours = scheduler_for(settings, sample_size, 1.0).config
            if all(_equal(config.get(key), ours.get(key)) for key in (*_BETAS, "num_train_timesteps")):
                return settings
    return None


def _equal(one: Any, other: Any) -> bool:
    return (
        list(one) == list(other)
        if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple))
        else one == other
    )
