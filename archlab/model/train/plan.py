"""What a training would take, told before anything is trained."""

from dataclasses import dataclass

import torch

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.data.settings import DataSettings
from archlab.encoders.fit import fitted
from archlab.encoders.prepare import data_with_encoders
from archlab.encoders.settings import EncoderSettings
from archlab.model.settings import ModelSettings
from archlab.training.memory import step_memory
from archlab.training.settings import LessonSettings, TrainingSettings

_MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training's size; memory in MB (10⁶ bytes) on one device, at the peak of a step.

    Attributes:
        latents, context: of one image.
        images: that the training sees in all.
        activations_mb: what is kept for the gradient, and the most that is there with it for a moment.
        activations_mb_checkpointed, peak_mb_checkpointed: with ``checkpointing``, which computes blocks again.
    """

    architecture: str
    params: int
    latents: str
    context: str
    device: str
    precision: str
    steps: int
    images_per_step: int
    images: int
    micro_batch: int
    weights_mb: float
    gradients_mb: float
    optimizer_mb: float
    average_mb: float
    teacher_mb: float
    activations_mb: float
    activations_mb_checkpointed: float
    peak_mb: float
    peak_mb_checkpointed: float


def plan_training(
    spec: UNetSpec, settings: ModelSettings, processes: int, teacher: UNetSpec | None, *, has_data: bool
) -> Plan:
    """The plan for an architecture, not yet scaled; a device that is asked for need not be there.

    Args:
        has_data: whether the settings' data and encoders decide latents and context; otherwise they are the
            architecture's own.

    Raises:
        BadInput: the data or an encoder is absent or does not fit.
    """
    network = _network(spec, settings, has_data)
    is_gpu = settings.device == "cuda" or (settings.device == "auto" and torch.cuda.is_available())
    micro_batch = min(settings.micro_batch or settings.batch_size, settings.batch_size)
    usual, checkpointed = (
        step_memory(
            network,
            settings.part(TrainingSettings),
            LessonSettings() if teacher is None else settings.part(LessonSettings),
            device="cuda" if is_gpu else "cpu",
            micro_batch=micro_batch,
            checkpointing=checkpointing,
            teacher=teacher if settings.distill else None,
        )
        for checkpointing in (False, True)
    )
    return Plan(
        architecture=network.id,
        params=count(network).params,
        latents=f"{network.in_channels}×{network.sample_size}×{network.sample_size}",
        context=f"{network.context_length}×{network.context_dim}",
        device="cuda" if is_gpu else "cpu",
        precision=settings.precision,
        steps=settings.steps,
        images_per_step=settings.batch_size * processes,
        images=settings.batch_size * processes * settings.steps,
        micro_batch=micro_batch,
        weights_mb=usual.weights / _MB,
        gradients_mb=usual.gradients / _MB,
        optimizer_mb=usual.moments / _MB,
        average_mb=usual.average / _MB,
        teacher_mb=usual.teacher / _MB,
        activations_mb=usual.activations / _MB,
        activations_mb_checkpointed=checkpointed.activations / _MB,
        peak_mb=usual.peak / _MB,
        peak_mb_checkpointed=checkpointed.peak / _MB,
    )


def _network(spec: UNetSpec, settings: ModelSettings, has_data: bool) -> UNetSpec:
    width, sample_size = settings.scale.width, settings.scale.sample_size or spec.sample_size
    if not has_data:
        return spec.scaled(width=width, sample_size=sample_size)
    here = settings.model_copy(update={"device": "cpu"})
    data, encoders = settings.part(DataSettings), settings.part(EncoderSettings)
    _, codec, text = data_with_encoders(data, encoders, sample_size, here, full_context=True)
    return fitted(spec, codec, text, width=width, sample_size=sample_size)
