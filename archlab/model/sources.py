"""Who has models that lie in no folder of their own, by name: a study, which lies above."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    import torch

    from archlab.model.model import Model

SOURCES: "Registry[Callable[[str, str, torch.device], Model]]" = Registry(
    {"study": "archlab.study.study:load_trial_model"}
)
