"""Student and teacher of a lesson that needs both at any place of the path."""

import copy

import torch
from torch import Tensor

from archlab.diffusion.denoiser import Denoiser
from archlab.training.lessons.lesson import Materials
from archlab.training.settings import GuidanceDistillation
from archlab.unet import UNet


def student_of(materials: Materials) -> Denoiser:
    """The network that learns."""
    examples = materials.examples
    return Denoiser(materials.network, examples.process, guidance_dim=materials.network.spec.guidance_dim)


def teacher_of(materials: Materials) -> Denoiser:
    """A copy of the teacher beside it, which learns nothing.

    Raises:
        ValueError: there is none, or it goes another path from latents to noise.
    """
    network = materials.taught_by()
    examples, process = materials.examples, materials.teacher_process or materials.examples.process
    if type(process.path) is not type(examples.process.path):
        raise ValueError("student and teacher go different paths from latents to noise")
    where = materials.network.conv_in.weight.device
    return Denoiser(
        beside(materials.network, network).eval(),
        process,
        examples.prepared.null_context.to(where),
        network.spec.guidance_dim,
    )


def beside(student: UNet, network: UNet) -> UNet:
    """A copy of another network on the student's device, which needs no gradient."""
    return copy.deepcopy(network).to(student.conv_in.weight.device).requires_grad_(False)


def guidance_of(settings: GuidanceDistillation, places: Tensor) -> Tensor:
    """The guidance of each image, drawn between the least and the most for places spread over [0, 1]: [B]."""
    most = settings.guidance if settings.most_guidance is None else settings.most_guidance
    return torch.lerp(torch.full_like(places, settings.guidance), torch.full_like(places, most), places)
