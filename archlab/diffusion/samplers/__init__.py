"""Ways from noise to latents, by name. A further sampler is a file here and a line below."""

from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.diffusion.samplers.sampler import Sampler

SAMPLERS: "Registry[Sampler]" = Registry(
    {
        "ddim": "archlab.diffusion.samplers.ddim:ddim",
        "dpm": "archlab.diffusion.samplers.dpm:dpm",
        "euler": "archlab.diffusion.samplers.euler:euler",
    }
)
