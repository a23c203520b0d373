"""A student's answer and features against a teacher's (BK-SDM, arXiv 2305.15798, §3.2)."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from archlab.architecture import Node, UNetSpec, layout, match_stages
from archlab.diffusion.process import error
from archlab.training.settings import Distillation
from archlab.unet import UNet


class Imitation:
    """How far a student's answer and features are from its teacher's.

    Features are what the last block of a stage gives out, downwards and upwards, and the last of the middle. Where the
    student's have another width than the teacher's, a 1×1 convolution makes them as wide (FitNets, arXiv 1412.6550).

    Attributes:
        modules: these convolutions, to be trained beside the student.

    Args:
        student: on the device on which it is trained.
        teacher: copied to there.
        weights: of answer and features.
        seed: of the convolutions.
    """

    def __init__(self, student: UNet, teacher: UNet, weights: Distillation, seed: int) -> None:
        device = student.conv_in.weight.device
        self._student, self._weights = student, weights
        self._teacher = copy.deepcopy(teacher).to(device).eval().requires_grad_(False)
        self._pairs = list(_matching(student.spec, teacher.spec)) if weights.features else []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            convolutions = [_as_wide(ours.out_channels, theirs.out_channels) for ours, theirs in self._pairs]
        self.modules = nn.ModuleList(convolutions).to(device)

    def __call__(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """The student's answer: [B, C, H, W]; and the weighted squared errors against its teacher's: [B].

        Args:
            noisy: [B, C, H, W]; timesteps: [B]; context: [B, L, D].
        """
        with _outputs(self._student, [ours.name for ours, _ in self._pairs]) as given:
            answer: Tensor = self._student(noisy, timesteps, context)
        with torch.no_grad(), _outputs(self._teacher, [theirs.name for _, theirs in self._pairs]) as wanted:
            theirs_answer = self._teacher(noisy, timesteps, context)
        apart = self._weights.output * error(answer, theirs_answer)
        for convolution, (ours, theirs) in zip(self.modules, self._pairs, strict=True):
            apart = apart + self._weights.features * error(convolution(given[ours.name]), wanted[theirs.name])
        return answer, apart


@contextmanager
def _outputs(unet: UNet, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What these modules give out while the block runs, by their names."""
    outputs: dict[str, Tensor] = {}

    def store(name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        outputs[name] = output

    hooks = [unet.get_submodule(name).register_forward_hook(partial(store, name)) for name in names]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _matching(student: UNetSpec, teacher: UNetSpec) -> Iterator[tuple[Node, Node]]:
    """The last blocks of the same stages."""
    ours, theirs = _last_blocks(student), _last_blocks(teacher)
    stages = match_stages(teacher, student).items()
    names = [(f"{way}.{index}", f"{way}.{origin}") for way in ("down", "up") for index, origin in stages]
    for name, origin in [*names, ("middle", "middle")]:
        if name in ours and origin in theirs and ours[name].out_size == theirs[origin].out_size:
            yield ours[name], theirs[origin]


def _last_blocks(spec: UNetSpec) -> dict[str, Node]:
    """By the list that they are the last of: ``down.0``, ``middle``, ``up.0``."""
    return {node.name.rpartition(".")[0]: node for node in layout(spec) if node.kind == "block"}


def _as_wide(channels: int, wanted: int) -> nn.Module:
    return nn.Identity() if channels == wanted else nn.Conv2d(channels, wanted, 1)
