"""The lesson ``dmd2``: images in few steps that a teacher takes for its own (DMD2, arXiv 2405.14867)."""

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.diffusion.denoiser import Denoiser, add_noise, each, noisy_places
from archlab.diffusion.process import error
from archlab.training.discriminator import Discriminator
from archlab.training.examples import Examples, LatentBatch
from archlab.training.imitation import Imitation
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.lessons.progressive import steps_from
from archlab.training.lessons.teaching import beside, student_of, teacher_of
from archlab.training.second_network import SecondNetwork
from archlab.training.settings import DistributionMatching

_LEAST_NOISE, _MOST_NOISE = 0.02, 0.98  # where the two are compared: places of the path
_STEP, _MATCHED, _JUDGED = range(3)  # places


def dmd2(materials: Materials) -> "Dmd2Lesson":
    """A teacher is needed, with as many steps as it likes; with ``imitation`` one of few steps beside it."""
    settings, teacher = materials.settings_of(DistributionMatching), teacher_of(materials)
    imitation = None
    if settings.imitation is not None:
        if materials.few_step_teacher is None:
            raise ValueError("the lesson needs a teacher with few steps to imitate")
        imitation = Imitation(materials.network, materials.few_step_teacher, settings.imitation, materials.seed)
    network = beside(materials.network, materials.taught_by())
    return Dmd2Lesson(
        student_of(materials),
        teacher,
        Denoiser(network, teacher.process),
        Discriminator(network, materials.seed),
        settings,
        materials.examples,
        imitation,
    )


class Dmd2Lesson(Lesson[LatentBatch]):
    """A generator, and a second network that learns to denoise what the generator draws.

    With noise, a drawn image is denoised by the teacher and by the second network; it moves by the difference of what
    they make of it, from what is drawn to what is real. The second network has a head on its middle, which learns to
    tell drawn latents from real ones.

    Args:
        fake: the second network, with weights of its own; it predicts what the teacher does.
        discriminator: that network with its head: from noisy latents, its time steps and contexts to logits: [B].
        imitation: a teacher of few steps that steadies the generator (K-DMD, for small networks).
    """

    def __init__(
        self,
        student: Denoiser,
        teacher: Denoiser,
        fake: Denoiser,
        discriminator: nn.Module,
        settings: DistributionMatching,
        examples: Examples,
        imitation: Imitation | None = None,
    ) -> None:
        self._student, self._teacher, self._fake, self._discriminator = student, teacher, fake, discriminator
        self._settings, self._examples, self._imitation = settings, examples, imitation
        self._path = student.process.path
        self._second = SecondNetwork(discriminator, settings.fake_learning_rate, examples.processes)
        self._rounds = 1 + settings.fake_updates

    @property
    def modules(self) -> nn.Module:
        """What makes features as wide as those of the teacher of few steps."""
        return nn.Module() if self._imitation is None else self._imitation.modules

    def batches(self, generator: torch.Generator) -> Iterator[LatentBatch]:
        noises = self._settings.steps + 3
        return self._examples.latent_batches(generator, noises=self._rounds * noises, places=self._rounds * 3)

    def losses(self, batch: LatentBatch) -> Tensor:
        batch, settings = batch.rounds(self._rounds)[0], self._settings
        drawn, imitated = self._drawn(batch)
        losses = self._matching(batch, drawn) + imitated
        if settings.adversarial:
            losses = losses + settings.adversarial * F.softplus(-self._judged(batch, drawn, batch.noises[:, -2]))
        return losses

    def after_step(self, parts: Sequence[LatentBatch]) -> None:
        """The second network's steps: that it is ahead of the generator replaces a regression loss."""
        for update in range(1, self._rounds):
            self._second.learn([part.rounds(self._rounds)[update] for part in parts], self._fake_losses)

    def state(self) -> dict[str, Tensor]:
        return self._second.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._second.load_state(state)

    def _drawn(self, batch: LatentBatch) -> tuple[Tensor, Tensor]:
        """What the generator draws in a random one of its steps: [B, C, H, W]; and how far it is from imitation: [B].

        It gets there as it does when it is used: by its own earlier steps, with noise again.
        """
        steps, noises, first = self._settings.steps, batch.noises, self._path.first_place
        places = steps_from(batch.places[:, _STEP], steps, self._path)
        noisy = noises[:, 0]
        with torch.no_grad():
            for step in range(1, steps):
                before = torch.full_like(places, first * (1 - (step - 1) / steps))
                clean = self._student.clean(noisy, before, batch.context)
                after = torch.full_like(places, first * (1 - step / steps))
                still = each(after > places - 0.5 / steps)
                noisy = torch.where(still, add_noise(self._path, clean, noises[:, step], after), noisy)
        if self._imitation is None:
            return self._student.clean(noisy, places, batch.context), torch.zeros_like(places)
        answer, apart = self._imitation(noisy, self._path.network_times(places), batch.context)
        return self._student.meant(noisy, answer, places), apart

    def _matching(self, batch: LatentBatch, drawn: Tensor) -> Tensor:
        places = _LEAST_NOISE + (_MOST_NOISE - _LEAST_NOISE) * batch.places[:, _MATCHED]
        with torch.no_grad():
            noisy = add_noise(self._path, drawn, batch.noises[:, -3], places)
            scale = torch.full_like(places, self._settings.guidance)
            real = self._teacher.clean(noisy, places, batch.context, scale)
            fake = self._fake.clean(noisy, places, batch.context)
        return matching_losses(drawn, real, fake)

    def _fake_losses(self, batch: LatentBatch) -> Tensor:
        """As the teacher was trained, on what the generator draws; and as a discriminator: [B]."""
        with torch.no_grad():
            drawn = self._drawn(batch)[0]
        places, noise = noisy_places(batch.places[:, _MATCHED]), batch.noises[:, -3]
        noisy = add_noise(self._path, drawn, noise, places)
        losses = error(self._fake.predict(noisy, places, batch.context), self._fake.target(drawn, noise, places))
        if self._settings.discriminator:
            fake = self._judged(batch, drawn, batch.noises[:, -2])
            real = self._judged(batch, batch.latents, batch.noises[:, -1])
            losses = losses + self._settings.discriminator * (F.softplus(fake) + F.softplus(-real))
        return losses

    def _judged(self, batch: LatentBatch, latents: Tensor, noise: Tensor) -> Tensor:
        """Logits of latents with noise: [B]."""
        places = noisy_places(batch.places[:, _JUDGED])
        noisy = add_noise(self._path, latents, noise, places)
        logits: Tensor = self._discriminator(noisy, self._path.network_times(places), batch.context)
        return logits


def matching_losses(drawn: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """Losses whose gradient moves drawn latents from what the second network takes them for to what the teacher does.

    The difference is divided by how far they are from the teacher's, the mean of each image (DMD2's
    ``compute_distribution_matching_loss``).

    Args:
        drawn, real, fake: the latents, and as teacher and second network denoise them: [B, C, H, W].

    Returns:
        [B]
    """
    with torch.no_grad():
        apart = (drawn - real).abs().mean((1, 2, 3), keepdim=True)
        goal = drawn - (fake - real) / apart.clamp(min=1e-8)
    return error(drawn, goal) / 2
