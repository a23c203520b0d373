"""The lesson ``teacher``: images, and what a trained teacher makes of them (BK-SDM, arXiv 2305.15798, §3.2)."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from archlab.architecture import Node, UNetSpec, layout, match_stages
from archlab.diffusion.process import NoisyBatch, error
from archlab.training.examples import Examples
from archlab.training.lessons.denoising import Denoising
from archlab.training.lessons.lesson import Materials
from archlab.training.settings import Distillation
from archlab.unet import UNet


def teacher(materials: Materials) -> "TeacherLesson":
    """A teacher and the weights of what is learnt from it are needed."""
    weights = materials.settings.distill
    if materials.teacher is None or weights is None:
        raise ValueError("the lesson teacher needs a teacher and the weights of its losses")
    return TeacherLesson(materials.network, materials.teacher, weights, materials.examples, materials.seed)


class TeacherLesson(Denoising):
    """The denoising loss, and that the student answers what its teacher answers.

    Features are what the last block of a stage gives out, downwards and upwards, and the last of the middle. Where the
    student's have another width than the teacher's, a 1×1 convolution makes them as wide (FitNets, arXiv 1412.6550);
    these are the lesson's modules.

    Args:
        student: on the device on which it is trained.
        teacher: copied to there.
        weights: of the teacher's parts of the loss.
        seed: of the convolutions.
    """

    def __init__(self, student: UNet, teacher: UNet, weights: Distillation, examples: Examples, seed: int) -> None:
        super().__init__(student, examples)
        device = student.conv_in.weight.device
        self._student, self._weights = student, weights
        self._teacher = copy.deepcopy(teacher).to(device).eval().requires_grad_(False)
        self._pairs = list(_matching(student.spec, teacher.spec)) if weights.features else []
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            convolutions = [_as_wide(ours.out_channels, theirs.out_channels) for ours, theirs in self._pairs]
        self._convolutions = nn.ModuleList(convolutions).to(device)

    @property
    def modules(self) -> nn.Module:
        """The convolutions; nothing to learn where the widths are equal."""
        return self._convolutions

    def losses(self, batch: NoisyBatch) -> Tensor:
        """The denoising loss, and the weighted squared errors against the teacher's output and features: [B]."""
        with _outputs(self._student, [ours.name for ours, _ in self._pairs]) as given:
            prediction = self.prediction(batch)
        with torch.no_grad(), _outputs(self._teacher, [theirs.name for _, theirs in self._pairs]) as wanted:
            answer = self._teacher(batch.noisy, batch.timesteps, batch.context)
        from_teacher = self._weights.output * error(prediction, answer)
        for convolution, (ours, theirs) in zip(self._convolutions, self._pairs, strict=True):
            apart = error(convolution(given[ours.name]), wanted[theirs.name])
            from_teacher = from_teacher + self._weights.features * apart
        return self.own_losses(batch, prediction) + from_teacher


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
