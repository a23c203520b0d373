"""A VAE of diffusers' from a local folder: images as latents, and back."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.encoders.local_models import (
    as_bad_input,
    hash_of_files,
    load_model,
    model_config,
    model_folder,
    quiet,
)
from archlab.encoders.shards import Shards, encoded
from archlab.errors import BadInput, nearest, shown
from archlab.progress import ShareDone, silent_share

_CPU = torch.device("cpu")
_SETTING = "vae"
_WEIGHTS = "diffusion_pytorch_model"
_WIDTHS = {"AutoencoderKL": "block_out_channels", "AutoencoderTiny": "encoder_block_out_channels"}
_PIXELS_AT_ONCE = 2**19  # 32 images of 128 × 128


class Vae:
    """``AutoencoderKL`` or ``AutoencoderTiny``: the posterior's mode, shifted and scaled as the model's config says.

    Attributes:
        image_channels: of an image.
        shift, scale: a latent is what the model encodes, minus the one, times the other: [1, C or 1, 1, 1].

    Args:
        folder: of the model, or of a pipeline with its ``vae``.
        device: on which it runs.

    Raises:
        BadInput: there is no such model.
    """

    def __init__(self, folder: str, device: torch.device = _CPU) -> None:
        self._folder = model_folder(_SETTING, folder, "vae")
        self._device = device
        self._config = _full_config(model_config(_SETTING, self._folder), f"{_SETTING}: {self._folder}")
        self.name = self._folder.name
        self.channels: int = self._config["latent_channels"]
        self.image_channels: int = self._config["in_channels"]
        self._factor: int = 2 ** (len(self._config[_WIDTHS[self._config["_class_name"]]]) - 1)
        with as_bad_input(f"{_SETTING}: {self._folder}: not the shift and scale of latents"):
            full = self._config
            self.shift = self._by_channel(full.get("latents_mean") or full.get("shift_factor") or 0.0)
            self.scale: Tensor = full["scaling_factor"] / self._by_channel(full.get("latents_std") or 1.0)

    @cached_property
    def id(self) -> str:
        files = hash_of_files(self._folder.glob("config.json"), self._folder.glob(f"{_WEIGHTS}*.safetensors"))
        return f"{files}-{self._device.type}"

    def image_size(self, sample_size: int) -> int:
        return sample_size * self._factor

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        channels, height, width = images.shape[1:]
        if channels != self.image_channels:
            raise BadInput(
                f"{_SETTING}: {self._folder} takes images of {self.image_channels} channels, these have {channels}; "
                "name a VAE that was trained on such images, or none"
            )
        if height % self._factor or width % self._factor:
            raise BadInput(
                f"{_SETTING}: {self._folder} takes images whose sides are multiples of {self._factor}, "
                f"not {height} × {width}"
            )
        model = self.model
        with as_bad_input(f"{_SETTING}: {self._folder}: images cannot be encoded"):
            output = model.encode(images.to(self._device))
            latents: Tensor = output.latent_dist.mode() if hasattr(output, "latent_dist") else output.latents
        shift, scale = self.shift.to(self._device), self.scale.to(self._device)
        return ((latents - shift) * scale).to(images.device)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        unscaled = latents.to(self._device) / self.scale.to(self._device) + self.shift.to(self._device)
        batches = torch.split(unscaled, self._images_at_once(self.image_size(latents.shape[-1])))
        model = self.model
        with as_bad_input(f"{_SETTING}: {self._folder}: latents cannot be decoded"):
            images = torch.cat([model.decode(batch).sample for batch in batches])
        return images.clamp(-1, 1).to(latents.device)

    def save(self, folder: Path) -> None:
        """Write ``vae`` into a pipeline's folder, as diffusers reads it."""
        self.model.save_pretrained(folder / "vae")

    def rows(self, data: CaptionedImages, progress: ShareDone = silent_share) -> Shards:
        key = {
            "encoder": self._config["_class_name"],
            "weights": self.id,
            "scaling_factor": self._config["scaling_factor"],
            "image_size": data.images.shape[-1],
            "data": data.id,
        }
        return encoded(
            "latents",
            key,
            len(data.images),
            lambda span: self.encode(data.images[span]),
            batch=self._images_at_once(data.images.shape[-1]),
            source=f"{_SETTING}: {self._folder}",
            progress=progress,
        )

    @cached_property
    def model(self) -> Any:
        """diffusers' own."""
        import diffusers

        kind = getattr(diffusers, self._config["_class_name"])
        return load_model(_SETTING, self._folder, kind, _WEIGHTS).to(self._device)

    def _by_channel(self, values: float | Sequence[float]) -> Tensor:
        """[1, C, 1, 1], or [1, 1, 1, 1] of one number."""
        numbers = torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1)
        if numbers.shape[1] not in (1, self.channels):
            raise ValueError(f"{numbers.shape[1]} numbers for {self.channels} channels")
        return numbers

    def _images_at_once(self, size: int) -> int:
        return max(1, _PIXELS_AT_ONCE // size**2)


def _full_config(config: dict[str, Any], where: str) -> dict[str, Any]:
    """With the library's own values for what it does not say."""
    import diffusers

    name = config.get("_class_name")
    if not isinstance(name, str) or name not in _WIDTHS:
        raise BadInput(f"{where}: the config of no VAE but of {shown(name)}{nearest(str(name), _WIDTHS)}")
    kind = getattr(diffusers, name)
    with quiet(kind), as_bad_input(f"{where}: not a config of {name}"), torch.device("meta"):
        model = kind.from_config(config)
    full = {**model.config, "_class_name": name}
    if not isinstance(full["scaling_factor"], (int, float)):
        raise BadInput(f"{where}: scaling_factor must be a number but is {shown(full['scaling_factor'])}")
    return full
