"""The lesson ``ufogen``: clean latents in one step, by a discriminator of noisy ones (UFOGen, arXiv 2311.09257)."""

from collections.abc import Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.diffusion.denoiser import Denoiser, add_noise, noisy_places
from archlab.diffusion.process import error
from archlab.training.discriminator import Discriminator, without_way_up
from archlab.training.examples import Examples, LatentBatch
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.lessons.teaching import beside, student_of
from archlab.training.second_network import SecondNetwork
from archlab.training.settings import AdversarialDistillation

_INPUT, _FAKE, _REAL = range(3)  # noises
_MOSTLY = 0.9  # of the logits


def ufogen(materials: Materials) -> "UfogenLesson":
    """The discriminator begins with the teacher's weights, where there is one, and with the network's otherwise."""
    settings = materials.settings_of(AdversarialDistillation)
    judge = without_way_up(beside(materials.network, materials.teacher or materials.network))
    discriminator = Discriminator(judge, materials.seed)
    return UfogenLesson(student_of(materials), discriminator, settings, materials.examples)


class UfogenLesson(Lesson[LatentBatch]):
    """A generator of clean latents from any place of the path, and a discriminator of what both have become with noise.

    Real latents and the generator's get noise of their own, and less of it than the generator's input had: with the
    posterior of the input instead, one step would not do. Reconstruction keeps the generator near the image that its
    input came from wherever that can be known. In n steps it draws by adding noise to what it drew, again and again.

    Args:
        discriminator: from noisy latents, the network's time steps and contexts to logits: [B].
    """

    def __init__(
        self, student: Denoiser, discriminator: nn.Module, settings: AdversarialDistillation, examples: Examples
    ) -> None:
        self._student, self._settings, self._examples = student, settings, examples
        self._path, self._discriminator = student.process.path, discriminator
        self._second = SecondNetwork(
            discriminator, settings.discriminator_learning_rate, examples.processes, momentum=0.0
        )
        self._steps = torch.zeros((), dtype=torch.int64)
        self._at_clamp = torch.zeros(2)

    def batches(self, generator: torch.Generator) -> Iterator[LatentBatch]:
        return self._examples.latent_batches(generator, noises=2 * 3, places=2)

    def losses(self, batch: LatentBatch) -> Tensor:
        batch, settings = batch.rounds(2)[0], self._settings
        places = noisy_places(batch.places[:, 0])
        clean = self._generated(batch, places)
        logits = self._judged(batch, clean, _FAKE, places)
        alpha, sigma = self._path.moments(places)
        known = (alpha / sigma).square().clamp(max=settings.most_snr)
        pulled = settings.reconstruction * known * error(clean, batch.latents)
        return pulled + F.softplus(-logits.clamp(max=settings.clamp))

    def after_step(self, parts: Sequence[LatentBatch]) -> None:
        """The discriminator's own step, as often as the settings have it."""
        self._steps += 1
        if self._steps % self._settings.discriminator_every == 0:
            self._second.learn(parts, self._discriminator_losses)

    def remarks(self) -> list[str]:
        fake, real = self._at_clamp.tolist()
        if min(fake, real) < _MOSTLY:
            return []
        return [
            f"the discriminator is certain: {fake:.0%} of the drawn and {real:.0%} of the real latents lie beyond its "
            "clamp and teach nothing; lower discriminator_learning_rate or raise clamp"
        ]

    def state(self) -> dict[str, Tensor]:
        return {**self._second.state(), "steps": self._steps, "at_clamp": self._at_clamp}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._second.load_state(state)
        self._steps, self._at_clamp = state["steps"].clone(), state["at_clamp"].to(self._at_clamp)

    def _discriminator_losses(self, batch: LatentBatch) -> Tensor:
        batch, clamp = batch.rounds(2)[1], self._settings.clamp
        places = noisy_places(batch.places[:, 0])
        with torch.no_grad():
            clean = self._generated(batch, places)
        fake, real = self._judged(batch, clean, _FAKE, places), self._judged(batch, batch.latents, _REAL, places)
        self._at_clamp = torch.stack([(fake < -clamp).float().mean(), (real > clamp).float().mean()]).detach()
        return F.softplus(fake.clamp(min=-clamp)) + F.softplus(-real.clamp(max=clamp))

    def _generated(self, batch: LatentBatch, places: Tensor) -> Tensor:
        noisy = add_noise(self._path, batch.latents, batch.noises[:, _INPUT], places)
        return self._student.clean(noisy, places, batch.context)

    def _judged(self, batch: LatentBatch, latents: Tensor, noise: int, places: Tensor) -> Tensor:
        """Logits of latents with less noise than at these places: [B]."""
        less = (places - self._settings.gap).clamp(min=0)
        noisy = add_noise(self._path, latents, batch.noises[:, noise], less)
        logits: Tensor = self._discriminator(noisy, self._path.network_times(less), batch.context)
        return logits
