"""The lesson ``guidance``: to answer in one pass what a guided teacher answers in two (arXiv 2210.03142, stage 1)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from archlab.diffusion.denoiser import Denoiser, add_noise, moments, noisy_places
from archlab.diffusion.process import error
from archlab.training.examples import Examples, LatentBatch
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.lessons.teaching import guidance_of, student_of, teacher_of
from archlab.training.settings import GuidanceDistillation

LEAST_SIGNAL = 0.1  # α below which the clean latents that a prediction of noise means are little but its error

_PLACE, _GUIDANCE = range(2)


def guidance(materials: Materials) -> "GuidanceLesson":
    """A teacher is needed."""
    settings = materials.settings_of(GuidanceDistillation)
    return GuidanceLesson(student_of(materials), teacher_of(materials), settings, materials.examples)


class GuidanceLesson(Lesson[LatentBatch]):
    """The guided teacher's answer, as the student's own objective has it.

    A student that has the guidance as an input learns all between two, any other one alone. One that predicts v learns
    from a teacher of the noise, too; only the data teach it what is to be answered where next to nothing but noise is
    left, for there a small error of the predicted noise is a large one of v.
    """

    def __init__(
        self, student: Denoiser, teacher: Denoiser, settings: GuidanceDistillation, examples: Examples
    ) -> None:
        self._student, self._teacher, self._settings, self._examples = student, teacher, settings, examples

    def batches(self, generator: torch.Generator) -> Iterator[LatentBatch]:
        return self._examples.latent_batches(generator, noises=1, places=2)

    def losses(self, batch: LatentBatch) -> Tensor:
        places, noise = noisy_places(batch.places[:, _PLACE]), batch.noises[:, 0]
        noisy = add_noise(self._student.process.path, batch.latents, noise, places)
        scale = guidance_of(self._settings, batch.places[:, _GUIDANCE])
        with torch.no_grad():
            target = self._target(batch, noisy, noise, places, scale)
        embedded = scale if self._student.guidance_dim is not None else None
        return error(self._student.predict(noisy, places, batch.context, embedded), target)

    def _target(self, batch: LatentBatch, noisy: Tensor, noise: Tensor, places: Tensor, scale: Tensor) -> Tensor:
        theirs, ours = self._teacher.process, self._student.process
        answer = self._teacher.predict(noisy, places, batch.context, scale)
        if theirs.objective is ours.objective:
            return answer
        alpha, sigma = moments(ours.path, places)
        clean = theirs.objective.clean(noisy, answer, alpha, sigma)
        of_teacher = ours.objective.target(clean, (noisy - alpha * clean) / sigma, alpha, sigma)
        return torch.where(alpha < LEAST_SIGNAL, self._student.target(batch.latents, noise, places), of_teacher)
