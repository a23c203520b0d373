"""Schedulers of diffusers': made for a training's settings, and read from a model's folder."""

from pathlib import Path
from typing import Any

import diffusers
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, SchedulerMixin

from archlab.diffusion.configured import configured_process
from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.paths import TRAIN_TIMESTEPS, VariancePreserving
from archlab.diffusion.schedules import SCHEDULES
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.local_models import as_bad_input, quiet
from archlab.errors import BadInput, shown
from archlab.files import read_json

SCHEDULER_FILE = "scheduler_config.json"

# diffusers' StableDiffusionPipeline (0.36 to 0.42) turns clipping off where clip_sample `is True`, not where it is 1.
# It also sets steps_offset to 1, which matters to no scheduler made here, and warns where it is something else.
_CLIPS = 1
_BETAS = ("beta_schedule", "beta_start", "beta_end", "trained_betas")


def scheduler_for(settings: DiffusionSettings, sample_size: int, largest: float) -> Any:
    """What a network of these settings is drawn with in as many steps as are asked for.

    On the variance-preserving path DDIM from the noisiest time on, with predicted latents cut to what the data has; on
    the straight path DPM-Solver++ along σ, which needs no limit.

    Args:
        sample_size: side of the latents.
        largest: absolute value among the data's latents.
    """
    process = configured_process(settings, sample_size)
    kind, path = process.objective.prediction_type, process.path
    if isinstance(path, VariancePreserving):
        return DDIMScheduler(
            num_train_timesteps=TRAIN_TIMESTEPS,
            prediction_type=kind,
            clip_sample=_CLIPS,
            clip_sample_range=largest,
            timestep_spacing="trailing",
            steps_offset=1,
            **path.betas,
        )
    shift = sample_size / path.unshifted_side if settings.schedule == "shifted" else 1.0
    return DPMSolverMultistepScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        prediction_type=kind,
        use_flow_sigmas=True,
        flow_shift=shift,
        steps_offset=1,
    )


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
