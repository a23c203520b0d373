"""What a network predicts, by name. A further objective is a file here and a line below."""

from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.diffusion.objectives.objective import Objective

OBJECTIVES: "Registry[Objective]" = Registry(
    {
        "epsilon": "archlab.diffusion.objectives.epsilon:EPSILON",
        "v": "archlab.diffusion.objectives.velocity:VELOCITY",
        "flow": "archlab.diffusion.objectives.flow:FLOW",
    }
)
