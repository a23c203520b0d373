"""Whom a model learns from, or whose weights it begins with."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

from archlab.architecture import UNetSpec
from archlab.errors import BadInput
from archlab.model.load import load_model
from archlab.model.model import Model
from archlab.model.settings import ModelSettings
from archlab.unet import UNet


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network that answers the same questions as its student."""

    model: Model

    @property
    def unet(self) -> UNet:
        """With trained weights, in evaluation mode."""
        return self.model.unet

    @cached_property
    def id(self) -> str:
        """Content hash of its weights."""
        digest = hashlib.sha256(self.unet.spec.id.encode())
        for weight in self.unet.state_dict().values():
            digest.update(weight.detach().cpu().contiguous().numpy().reshape(-1).data)
        return digest.hexdigest()


def find_teacher(name: str, student: UNetSpec, settings: ModelSettings) -> Teacher:
    """The teacher of that name: anything that `archlab.model.load.load_model` loads.

    Raises:
        BadInput: there is none, or it answers other questions than the student will be asked.
    """
    teacher = load_model(name)
    ours, theirs = _asked(student), _asked(teacher.spec)
    if (student.in_channels, student.sample_size, student.context_dim) != (
        teacher.spec.in_channels,
        teacher.spec.sample_size,
        teacher.spec.context_dim,
    ):
        raise BadInput(f"teacher: {name} works on {theirs}, and this training on {ours}; take the teacher's encoders")
    learnt = teacher.facts.diffusion
    if settings.distill is not None and learnt is not None:
        for key in ("objective", "schedule"):
            if getattr(learnt, key) != getattr(settings, key):
                raise BadInput(
                    f"{key}: the teacher {name} has learnt {getattr(learnt, key)}, and this training is to learn "
                    f"{getattr(settings, key)}; take the teacher's"
                )
    return Teacher(teacher)


def _asked(spec: UNetSpec) -> str:
    """``latents 4×64×64 and contexts 77×768``."""
    side = spec.sample_size
    return f"latents {spec.in_channels}×{side}×{side} and contexts {spec.context_length}×{spec.context_dim}"
