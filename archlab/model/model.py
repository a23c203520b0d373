"""A model in memory: it draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.cost import count
from archlab.diffusion.guidance import guided, with_embedded_guidance
from archlab.diffusion.process import AT_ONCE, device_of_network
from archlab.diffusion.samplers.sampler import Predict
from archlab.encoders.contracts import NULL_PROMPT, Codec, TextEncoder
from archlab.encoders.vae import Vae
from archlab.errors import BadInput
from archlab.model.control import Control
from archlab.model.facts import LoraUsed, ModelFacts
from archlab.model.generated import Pictures
from archlab.model.sampling import noise_of, sample
from archlab.model.schedulers import most_steps
from archlab.progress import ShareDone, silent_share
from archlab.unet import UNet
from archlab.unet.lora.lora import Lora, fused

_ACTIVATION_BYTES = 8 * 10**9  # that activations of images that are drawn together may take


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """Trained weights with everything that draws from them.

    It draws as diffusers' ``StableDiffusionPipeline`` does with its scheduler.

    Attributes:
        unet: in float32, in the form that is deployed, in evaluation mode.
        scheduler: one of diffusers'.
        codec: between images and latents.
        text: prompts as contexts.
    """

    unet: UNet
    scheduler: Any
    codec: Codec
    text: TextEncoder
    facts: ModelFacts

    @property
    def name(self) -> str:
        """What people call it."""
        return self.facts.name

    @property
    def spec(self) -> UNetSpec:
        """The architecture."""
        return self.unet.spec

    @property
    def device(self) -> torch.device:
        """Where it draws."""
        return device_of_network(self.unet)

    @property
    def image_channels(self) -> int:
        """Of an image: 1 (grey) or 3."""
        return self.codec.image_channels if isinstance(self.codec, Vae) else self.codec.channels

    @property
    def at_once(self) -> int:
        """How many images with guidance have room in memory together."""
        return max(1, min(AT_ONCE, _ACTIVATION_BYTES // (2 * count(self.spec).activation_bytes)))

    def with_loras(self, loras: Sequence[tuple[Lora, float]]) -> "Model":
        """The model with LoRAs in its weights, each as much as its number says.

        Raises:
            BadInput: one does not fit.
        """
        if not loras:
            return self
        uses = (*self.facts.loras, *(LoraUsed(lora.name, weight) for lora, weight in loras))
        name = "+".join([self.name, *(f"{lora.name}:{weight:g}" for lora, weight in loras)])
        return replace(self, unet=fused(self.unet, loras, self.name), facts=replace(self.facts, name=name, loras=uses))

    def generate(
        self,
        prompts: str | Sequence[str],
        *,
        seeds: Sequence[int] = (0,),
        steps: int | None = None,
        guidance: float | None = None,
        control: Control | None = None,
        progress: ShareDone = silent_share,
    ) -> Pictures:
        """Images of every prompt with every seed: all of the first prompt, then all of the second, and so on.

        Args:
            steps, guidance: absent: the model's own.
            control: along which all of them are drawn; see `archlab.model.load_control`.

        Raises:
            BadInput: there is no prompt, or a number that cannot be.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        pairs = [(prompt, seed) for prompt in prompts for seed in seeds]
        if not pairs:
            raise BadInput("generate: needs at least one prompt and one seed")
        images = self.draw(
            [prompt for prompt, _ in pairs],
            [seed for _, seed in pairs],
            steps=steps,
            guidance=guidance,
            control=control,
            progress=progress,
        )
        return Pictures([picture(image) for image in images], [f"{prompt}, seed {seed}" for prompt, seed in pairs])

    @torch.no_grad()
    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        steps: int | None = None,
        guidance: float | None = None,
        control: Control | None = None,
        at_once: int | None = None,
        progress: ShareDone = silent_share,
    ) -> Tensor:
        """One image for each prompt with its seed: float32 [N, C, H, W] in [-1, 1].

        Args:
            seeds: one a prompt; the noise of an image follows from its seed alone.
            steps, guidance: absent: the model's own. With a guidance over 1 the UNet has two passes a step,
                unless it was trained with the guidance as an input.
            control: along which they are drawn, with one picture or as many as prompts.
            at_once: images in memory; absent: `at_once`.

        Raises:
            BadInput: see `generate`.
        """
        steps = self.facts.steps if steps is None else steps
        guidance = self.facts.guidance if guidance is None else guidance
        self.check(prompts, seeds, steps, guidance)
        if control is not None and len(control.pictures) not in (1, len(prompts)):
            raise BadInput(f"control: one picture or {len(prompts)} are needed, not {len(control.pictures)}")
        spec, device, at_once = self.spec, self.device, at_once or self.at_once
        null = self.text.encode([NULL_PROMPT])[0]
        starts = range(0, len(prompts), at_once)
        images = []
        for index, start in enumerate(starts):
            span = slice(start, start + at_once)

            def report(share: float, index: int = index) -> None:
                progress((index + share) / len(starts))

            noise, generators = noise_of(seeds[span], (spec.in_channels, spec.sample_size, spec.sample_size))
            context = self.text.encode(prompts[span]).to(device)
            unet = self.unet if control is None else control.over(self.unet, span, device)
            predict = self._predict(unet, context, null, guidance)
            latents = sample(self.scheduler, predict, noise.to(device), generators, steps, report)
            images.append(self.codec.decode(latents.cpu()))
        return torch.cat(images)

    def passes(self, steps: int | None = None, guidance: float | None = None) -> int:
        """How often the UNet runs for an image."""
        steps = self.facts.steps if steps is None else steps
        guidance = self.facts.guidance if guidance is None else guidance
        return steps * (2 if guidance > 1 and self.spec.guidance_dim is None else 1)

    def _predict(self, unet: nn.Module, context: Tensor, null: Tensor, guidance: float) -> Predict:
        if self.spec.guidance_dim is not None:
            return with_embedded_guidance(unet, context, guidance, self.spec.guidance_dim)
        return guided(unet, context, null, max(guidance, 1.0))

    def check(self, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance: float) -> None:
        """Refuse what cannot be drawn.

        Raises:
            BadInput: see `generate`.
        """
        if not prompts or len(prompts) != len(seeds):
            raise BadInput(f"draw: needs as many seeds as prompts, at least one, not {len(seeds)} and {len(prompts)}")
        most = most_steps(self.scheduler)
        if not 1 <= steps <= most:
            raise BadInput(f"steps: between 1 and {most:,} are possible, not {steps:,}")
        if not (math.isfinite(guidance) and guidance >= 0):
            raise BadInput(f"guidance: must be a finite number of at least 0 but is {guidance:g}")
        if wrong := next((seed for seed in seeds if not 0 <= seed < 2**63), None):
            raise BadInput(f"seeds: lie between 0 and 2⁶³ − 1, not {wrong}")


def picture(image: Tensor) -> Image.Image:
    """An image [C, H, W] in [-1, 1], C = 1 (grey) or 3, as Pillow has it."""
    pixels = ((image / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
