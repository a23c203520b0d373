"""A network at any place between latent and noise, and the steps that are taken between two places."""

from dataclasses import dataclass

from torch import Tensor, nn

from archlab.diffusion.guidance import guidance_embedding, guided_answer
from archlab.diffusion.paths import TRAIN_TIMESTEPS, NoisePath
from archlab.diffusion.process import Process


@dataclass(frozen=True, eq=False)
class Denoiser:
    """What a network makes of noisy latents at any places of [0, 1].

    Attributes:
        process: what the network predicts, and along which path.
        null_context: of the empty prompt: [L, D]. Absent: it is never guided in two passes.
        guidance_dim: of the embedding, where the network has the guidance as an input.
    """

    network: nn.Module
    process: Process
    null_context: Tensor | None = None
    guidance_dim: int | None = None

    def predict(self, noisy: Tensor, places: Tensor, context: Tensor, guidance: Tensor | None = None) -> Tensor:
        """The network's answer: [B, C, H, W].

        Args:
            noisy: [B, C, H, W].
            places: [B].
            context: [B, L, D].
            guidance: [B], an input of the network where it has one, otherwise applied in two passes; absent: none.
        """
        times = self.process.path.network_times(places)
        if guidance is None:
            answer: Tensor = self.network(noisy, times, context)
        elif self.guidance_dim is not None:
            embedding = guidance_embedding(guidance, self.guidance_dim)
            answer = self.network(noisy, times, context, guidance=embedding)
        else:
            if self.null_context is None:
                raise ValueError("guidance in two passes needs the context of the empty prompt")
            answer = guided_answer(self.network, noisy, times, context, self.null_context, each(guidance))
        return answer

    def clean(self, noisy: Tensor, places: Tensor, context: Tensor, guidance: Tensor | None = None) -> Tensor:
        """The latents that the answer means: [B, C, H, W]. At place 0 they are the noisy ones, whatever the answer."""
        return self.meant(noisy, self.predict(noisy, places, context, guidance), places)

    def meant(self, noisy: Tensor, prediction: Tensor, places: Tensor) -> Tensor:
        """The latents that a prediction means: [B, C, H, W]."""
        return self.process.objective.clean(noisy, prediction, *moments(self.process.path, places))

    def target(self, latents: Tensor, noise: Tensor, places: Tensor) -> Tensor:
        """What the network should predict of latents with this noise: [B, C, H, W]."""
        return self.process.objective.target(latents, noise, *moments(self.process.path, places))


def noisy_places(places: Tensor) -> Tensor:
    """Places spread over [0, 1] as those with at least as little noise as a network has seen."""
    return places.clamp(min=1 / TRAIN_TIMESTEPS)


def add_noise(path: NoisePath, latents: Tensor, noise: Tensor, places: Tensor) -> Tensor:
    """``α x + σ ε`` at these places, [B]: [B, C, H, W]."""
    alpha, sigma = moments(path, places)
    return alpha * latents + sigma * noise


def ddim_step(path: NoisePath, noisy: Tensor, clean: Tensor, places: Tensor, until: Tensor) -> Tensor:
    """DDIM from places to others, both [B], with what the latents are thought to be: [B, C, H, W].

    ``α_s x̂ + (σ_s / σ_t) (z − α_t x̂)`` (arXiv 2202.00512, eq. 8); on the straight path Euler's method.
    """
    alpha, sigma = moments(path, places)
    alpha_until, sigma_until = moments(path, until)
    return alpha_until * clean + sigma_until / sigma * (noisy - alpha * clean)


def moments(path: NoisePath, places: Tensor) -> tuple[Tensor, Tensor]:
    """α and σ at these places, [B]: [B, 1, 1, 1]."""
    alpha, sigma = path.moments(places)
    return each(alpha), each(sigma)


def each(values: Tensor) -> Tensor:
    """[B] → [B, 1, 1, 1]"""
    return values[:, None, None, None]
