"""What a proxy learns from a trained teacher beside its own task (BK-SDM, arXiv 2305.15798, §3.2)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from archlab.architecture import Node, UNetSpec, layout, match_stages
from archlab.diffusion.process import Batch, error
from archlab.space.settings import Distillation
from archlab.unet import UNet


class Lesson:
    """A teacher beside a network that learns: what the network answers should be what the teacher answers.

    Features are what the last block of a stage gives out, downwards and upwards, and the last of the middle. Where the
    pupil's have another width than the teacher's, a 1×1 convolution makes them as wide (FitNets, arXiv 1412.6550).

    Attributes:
        fits: these convolutions, learnt with the pupil and then thrown away; nothing where the widths are equal.

    Args:
        teacher: as it is deployed; taken, not copied.
        seed: of the convolutions.
    """

    def __init__(self, pupil: UNet, teacher: UNet, weights: Distillation, seed: int) -> None:
        self._weights, self._teacher = weights, teacher.eval().requires_grad_(False)
        pairs = list(_pairs(pupil.spec, teacher.spec)) if weights.features else []
        self._given = [_LastOutput(pupil, ours.name) for ours, _ in pairs]
        self._wanted = [_LastOutput(teacher, theirs.name) for _, theirs in pairs]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fits = [_fit(ours.out_channels, theirs.out_channels) for ours, theirs in pairs]
        self.fits = nn.ModuleList(fits).to(pupil.conv_in.weight.device)

    def losses(self, batch: Batch, answer: Tensor) -> Tensor:
        """The weighted squared errors of each image: [B].

        Args:
            answer: what the pupil has just predicted of the batch.
        """
        with torch.no_grad():
            wanted = self._teacher(batch.noisy, batch.timesteps, batch.context)
        found = self._weights.output * error(answer, wanted)
        for fit, ours, theirs in zip(self.fits, self._given, self._wanted, strict=True):
            found = found + self._weights.features * error(fit(ours.taken()), theirs.taken())
        return found


class _LastOutput:
    """What a module of the network has given out last."""

    def __init__(self, unet: UNet, name: str) -> None:
        self._output: list[Tensor] = []
        unet.get_submodule(name).register_forward_hook(self._keep)

    def taken(self) -> Tensor:
        """It, once."""
        return self._output.pop()

    def _keep(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        self._output[:] = [output]


def _pairs(pupil: UNetSpec, teacher: UNetSpec) -> Iterator[tuple[Node, Node]]:
    """The last blocks of the same stages."""
    ours, theirs = _last_blocks(pupil), _last_blocks(teacher)
    stages = match_stages(teacher, pupil).items()
    names = [(f"{way}.{index}", f"{way}.{origin}") for way in ("down", "up") for index, origin in stages]
    for name, origin in [*names, ("middle", "middle")]:
        if name in ours and origin in theirs and ours[name].out_size == theirs[origin].out_size:
            yield ours[name], theirs[origin]


def _last_blocks(spec: UNetSpec) -> dict[str, Node]:
    """By the list that they are the last of: ``down.0``, ``middle``, ``up.0``."""
    return {node.name.rpartition(".")[0]: node for node in layout(spec) if node.kind == "block"}


def _fit(channels: int, wanted: int) -> nn.Module:
    return nn.Identity() if channels == wanted else nn.Conv2d(channels, wanted, 1)
