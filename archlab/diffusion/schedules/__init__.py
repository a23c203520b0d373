"""Schedules of noise, by name. A further one is a file here and a line below."""

from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.diffusion.schedules.schedule import Schedule

SCHEDULES: "Registry[Schedule]" = Registry(
    {
        "cosine": "archlab.diffusion.schedules.cosine:COSINE",
        "linear": "archlab.diffusion.schedules.linear:LINEAR",
        "scaled_linear": "archlab.diffusion.schedules.scaled_linear:SCALED_LINEAR",
        "shifted": "archlab.diffusion.schedules.shifted:SHIFTED",
    }
)
