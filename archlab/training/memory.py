"""What one training step takes in memory, for a network of any size, which is never made.

The lesson's own losses and their gradients are computed on tensors that have shapes and no numbers (torch's device
``meta``), while what they would allocate and free is added up. Not counted are the libraries themselves, what an
allocator cannot give out again, what a convolution borrows while it runs, and what a lesson does after the step.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from archlab.architecture import UNetSpec
from archlab.architecture.parts import AppliedNormalizer
from archlab.diffusion.process import NoisyBatch, Process
from archlab.encoders.prepare import Prepared
from archlab.surgery.torch_meta import Allocations, fused_attention
from archlab.training.examples import Examples
from archlab.training.lessons import LESSONS
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.optimizer import flatten
from archlab.training.settings import LessonSettings, TrainingSettings
from archlab.unet import build
from archlab.unet.attention import attend, attend_by_formula
from archlab.unet.blocks import UNetBlock
from archlab.unet.cpu_attention import attend_in_blocks, learns_faster_in_blocks, this_processor


@dataclass(frozen=True)
class StepMemory:
    """Bytes that a training takes at the peak of any step but the first.

    Attributes:
        weights: of the network and of what the lesson trains beside it, in float32.
        gradients, moments: of the weights that learn; AdamW has two moments.
        average: the averaged network.
        teacher: its weights.
        activations: everything else: what is kept for the gradient, and the most that is there with it for a moment.
    """

    weights: int
    gradients: int
    moments: int
    average: int
    teacher: int
    activations: int

    @property
    def peak(self) -> int:
        """All of them together."""
        return self.weights + self.gradients + self.moments + self.average + self.teacher + self.activations


def step_memory(
    spec: UNetSpec,
    training: TrainingSettings,
    lesson: LessonSettings,
    *,
    device: Literal["cpu", "cuda"],
    micro_batch: int | None = None,
    checkpointing: bool = False,
    teacher: UNetSpec | None = None,
) -> StepMemory:
    """What the training of ``spec`` takes on a device of this kind; there need not be one.

    On the CPU attention is that which this machine's processor is fastest with. On CUDA it is one of torch's fused
    kernels, which all keep queries, keys, values, the result and a number for each query; bf16 is autocast as CUDA's
    documentation lists it.

    Args:
        micro_batch: see `Training`.
        teacher: that the lesson learns from.
    """
    kernels = _Kernels(device, training.precision)
    with Allocations() as allocated, kernels, torch.device("meta"):
        student, made_up = build(spec), _no_examples(training.batch_size)
        student.checkpointing = checkpointing
        kernels.compute(student)
        master = None if teacher is None else build(teacher)
        materials = Materials(network=student, examples=made_up, settings=lesson, seed=0, teacher=master)
        learnt_from: Lesson[Any] = LESSONS[lesson.lesson](materials)
        weights = [*student.parameters(), *learnt_from.modules.parameters()]
        learnt = [parameter for parameter in weights if parameter.requires_grad]
        flatten(learnt)
        before = allocated.forget_peak()
        _learn(learnt_from, _batch(spec, training.batch_size), micro_batch or training.batch_size)
        activations = allocated.peak - before
    return StepMemory(
        weights=_bytes(weights),
        gradients=_bytes(learnt),
        moments=2 * _bytes(learnt),
        average=_bytes(student.parameters()),
        teacher=0 if master is None else _bytes(master.parameters()),
        activations=activations,
    )


def _learn(lesson: Lesson[Any], batch: NoisyBatch, micro_batch: int) -> None:
    """The gradient of a batch, as `Training` takes it."""
    for part in batch.split(micro_batch):
        torch.autograd.backward(lesson.losses(part).sum() / batch.images)


def _batch(spec: UNetSpec, images: int) -> NoisyBatch:
    sample = (images, spec.in_channels, spec.sample_size, spec.sample_size)
    return NoisyBatch(
        noisy=torch.empty(sample),
        timesteps=torch.empty(images),
        context=torch.empty(images, spec.context_length, spec.context_dim),
        target=torch.empty(images, spec.out_channels, *sample[2:]),
        weight=torch.empty(images),
    )


def _no_examples(batch_size: int) -> Examples:
    """A lesson has them for batches, which nobody asks it for here."""
    return Examples(cast(Prepared, None), cast(Process, None), batch_size, 0.0)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class _Kernels(TorchFunctionMode):
    """What tensors without numbers would be computed by on a device of that kind."""

    def __init__(self, device: Literal["cpu", "cuda"], precision: Literal["fp32", "bf16"]) -> None:
        super().__init__()
        self._on_cpu, self._autocast = device == "cpu", precision == "bf16"

    def compute(self, network: nn.Module) -> None:
        """Have its blocks computed so in a backward pass, too, in which torch leaves modes like this one."""
        for block in network.modules():
            if isinstance(block, UNetBlock):
                block.forward = partial(self._run, block.forward)  # type: ignore[method-assign]

    def _run(self, forward: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        with self:
            return forward(*inputs)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is attend:
            return self._attend(*args)
        dtype = _AUTOCAST.get(func) if self._autocast else None
        if dtype is not None:
            args = [_cast(value, dtype) for value in args]
        if func is F.scaled_dot_product_attention:
            return fused_attention(*args)
        return func(*args, **(kwargs or {}))

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, heads: int, normalizer: AppliedNormalizer, training: bool
    ) -> Tensor:
        if self._on_cpu and training and query.requires_grad:
            processor = this_processor()
            if learns_faster_in_blocks(query, key, heads, normalizer, processor):
                return attend_in_blocks(query, key, value, heads, normalizer, processor.scores_at_once)
        with self:
            return attend_by_formula(query, key, value, heads, normalizer)


# What of a UNet's operators CUDA's autocast has on its lists (docs.pytorch.org/docs/stable/amp.html).
_AUTOCAST: dict[Callable[..., Any], torch.dtype] = {
    **dict.fromkeys((F.linear, F.conv2d, F.scaled_dot_product_attention, Tensor.matmul), torch.bfloat16),
    **dict.fromkeys((F.group_norm, F.layer_norm), torch.float32),
}


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
