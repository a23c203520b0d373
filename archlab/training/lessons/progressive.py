"""The lesson ``progressive``: to make two of a teacher's steps in one (arXiv 2202.00512)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from archlab.diffusion.denoiser import Denoiser, add_noise, ddim_step, moments
from archlab.diffusion.paths import NoisePath
from archlab.diffusion.process import error
from archlab.training.examples import Examples, LatentBatch
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.lessons.teaching import guidance_of, student_of, teacher_of
from archlab.training.settings import ProgressiveDistillation

_STEP, _GUIDANCE = range(2)


def progressive(materials: Materials) -> "ProgressiveLesson":
    """A teacher is needed that draws well in twice as many steps."""
    settings = materials.settings_of(ProgressiveDistillation)
    return ProgressiveLesson(student_of(materials), teacher_of(materials), settings, materials.examples)


class ProgressiveLesson(Lesson[LatentBatch]):
    """What clean latents would take the student in one step of DDIM to where two of the teacher's lead.

    Errors of the clean latents weigh max(SNR, 1), "truncated SNR" of the paper.
    """

    def __init__(
        self, student: Denoiser, teacher: Denoiser, settings: ProgressiveDistillation, examples: Examples
    ) -> None:
        self._student, self._teacher, self._settings, self._examples = student, teacher, settings, examples
        self._path = student.process.path

    def batches(self, generator: torch.Generator) -> Iterator[LatentBatch]:
        return self._examples.latent_batches(generator, noises=1, places=2)

    def losses(self, batch: LatentBatch) -> Tensor:
        places = steps_from(batch.places[:, _STEP], self._settings.steps, self._path)
        noisy = add_noise(self._path, batch.latents, batch.noises[:, 0], places)
        scale = None
        if self._student.guidance_dim is not None:
            scale = guidance_of(self._settings, batch.places[:, _GUIDANCE])
        with torch.no_grad():
            target = self.target(noisy, places, batch.context, scale)
        clean = self._student.clean(noisy, places, batch.context, scale)
        alpha, sigma = self._path.moments(places)
        return error(clean, target) * (alpha / sigma).square().clamp(min=1)

    def target(self, noisy: Tensor, places: Tensor, context: Tensor, guidance: Tensor | None = None) -> Tensor:
        """The clean latents by which one step of the student's ends where two of the teacher's do: [B, C, H, W]."""
        step = self._path.first_place / self._settings.steps
        middle, end = places - step / 2, (places - step).clamp(min=0)
        clean = self._teacher.clean(noisy, places, context, guidance)
        between = ddim_step(self._path, noisy, clean, places, middle)
        clean = self._teacher.clean(between, middle, context, guidance)
        ended = ddim_step(self._path, between, clean, middle, end)
        (alpha, sigma), (alpha_end, sigma_end) = moments(self._path, places), moments(self._path, end)
        ratio = sigma_end / sigma
        return (ended - ratio * noisy) / (alpha_end - ratio * alpha)


def steps_from(places: Tensor, steps: int, path: NoisePath) -> Tensor:
    """Where one of so many equal steps begins, each as likely, for places spread over [0, 1]: [B]."""
    return path.first_place * ((places * steps).floor().clamp(max=steps - 1) + 1) / steps
