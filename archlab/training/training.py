"""The loop: a network learns from a lesson, step by step, and can be stopped and taken up at any of them."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from archlab.checkpoint import below, prefixed
from archlab.diffusion.process import device_of_network
from archlab.errors import RunFailed
from archlab.training.average import average_weights
from archlab.training.curve import CurveRow, curve_rows, curve_tensor
from archlab.training.learning_rate import learning_rate_at
from archlab.training.lessons.lesson import Lesson
from archlab.training.optimizer import FlatAdamW
from archlab.training.processes import ALONE, Processes
from archlab.training.settings import TrainingSettings
from archlab.unet import set_attention_normalizer


class Diverged(RunFailed):
    """Training or its score became infinite or NaN."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"training diverged at step {step}: {reason}; try a lower learning_rate")
        self.step, self.reason = step, reason


def finite(score: float, step: int, label: str) -> float:
    """The score itself.

    Raises:
        Diverged: it is infinite or NaN.
    """
    if not math.isfinite(score):
        raise Diverged(step, f"{label} is {score}")
    return score


class Training:
    """One training. What `state` gives, another one of the same arguments takes up by `load_state`, bit for bit.

    On a GPU the processor runs ahead: losses are read back, and are in ``curve``, when `run` ends or `state` is asked
    for.

    Args:
        network: learns, on the device where it is. Its parameters that need no gradient stay as they are, and are
            neither copied nor part of the state.
        lesson: what it learns from; made for this network.
        steps: of the whole training, which ``softmax->relu`` transformers end with relu, and over which the learning
            rate decays.
        seed: of batches, time steps and noise.
        micro_batch: how many images are in memory at once; absent: all of a batch. The gradient is the whole batch's.
        runs_ahead: whether losses are read late; absent: on a GPU.
        processes: that train this network together; the lesson's examples are of the same.

    Attributes:
        curve: one row for each step that was made, with the mean loss over all processes.
        network: averaged weights, in evaluation mode; ``softmax->relu`` transformers run with softmax until their
            finetuning begins.
    """

    def __init__(
        self,
        network: nn.Module,
        lesson: Lesson[Any],
        settings: TrainingSettings,
        *,
        steps: int,
        seed: int,
        micro_batch: int | None = None,
        runs_ahead: bool | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self.curve: list[CurveRow] = []
        self._learner, self._lesson, self._settings = network.train(), lesson, settings
        self._device = device_of_network(network)
        self._runs_ahead = self._device.type != "cpu" if runs_ahead is None else runs_ahead
        self._micro_batch = micro_batch or settings.batch_size
        self._steps, self._relu_from = steps, first_relu_step(steps, settings.finetune_share)
        self._fixed = {name: each for name, each in network.named_parameters() if not each.requires_grad}
        self.network: nn.Module = copy.deepcopy(network, {id(each): each for each in self._fixed.values()}).eval()
        parameters = [*network.parameters(), *lesson.modules.parameters()]
        learnt = [parameter for parameter in parameters if parameter.requires_grad]
        self._optimizer = FlatAdamW(learnt, settings.learning_rate, processes)
        self._processes = processes
        self._generator = torch.Generator().manual_seed(seed)
        self._batches = lesson.batches(self._generator)
        self._unread: list[Tensor] = []
        self._since = 0.0
        self._set_normalizer(relu=False)

    @property
    def step(self) -> int:
        """How many steps were made."""
        return len(self.curve) + len(self._unread)

    @property
    def seconds(self) -> float:
        """Time in these steps alone."""
        return self.curve[-1].seconds if self.curve else 0.0

    def run(self, until: int, after_step: Callable[[], None] = lambda: None) -> None:
        """Go on until so many steps have been made in all.

        Raises:
            Diverged: the loss is infinite or NaN.
        """
        while self.step < until:
            batch = next(self._batches)
            if not self._unread:
                self._since = time.perf_counter()
            if self.step + 1 == self._relu_from:
                self._set_normalizer(relu=True)
            self._unread.append(self.learn(batch.to(self._device)))
            if not self._runs_ahead or self.step == until:
                self._read_losses()
            after_step()

    def learn(self, batch: Any) -> Tensor:
        """One step with this process's batch of the lesson's; the loss of all stays where it is: []."""
        parts = list(batch.split(self._micro_batch))
        losses = [self._backward(part, batch.images) for part in parts]
        self._optimizer.step(learning_rate_at(self.step + 1, self._steps, self._settings))
        average_weights(self.network, self._learner, self.step, self._settings.ema_decay)
        with self._precision():
            self._lesson.after_step(parts)
        return self._processes.average(torch.stack(losses).sum())

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, and the curve.

        Raises:
            Diverged: see `run`.
        """
        self._read_losses()
        return {
            **prefixed("unet", self._learnt_part(self._learner)),
            **prefixed("averaged", self._learnt_part(self.network)),
            **prefixed("modules", self._lesson.modules.state_dict()),
            **prefixed("lesson", self._lesson.state()),
            **prefixed("optimizer", self._optimizer.state()),
            "generator": self._generator.get_state(),
            "curve": curve_tensor(self.curve),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._learner.load_state_dict({**self._fixed, **below("unet", state)})
        self.network.load_state_dict({**self._fixed, **below("averaged", state)})
        self._lesson.modules.load_state_dict(below("modules", state))
        self._lesson.load_state(below("lesson", state))
        self._optimizer.load_state(below("optimizer", state))
        self._generator.set_state(state["generator"])
        self.curve = curve_rows(state["curve"])
        self._set_normalizer(relu=self.step >= self._relu_from)

    def _learnt_part(self, network: nn.Module) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in network.state_dict().items() if name not in self._fixed}

    def _backward(self, part: Any, images: int) -> Tensor:
        """The part's share of the mean loss over all ``images``."""
        with self._precision():
            losses = self._lesson.losses(part)
        loss = losses.sum() / images
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._settings.precision == "bf16")

    def _read_losses(self) -> None:
        """Those that are still where they were computed; the time until now is theirs in equal parts."""
        if not self._unread:
            return
        losses = torch.stack(self._unread).tolist()
        seconds = (time.perf_counter() - self._since) / len(losses)
        self._unread.clear()
        for loss in losses:
            self.curve.append(CurveRow(self.step + 1, loss, self.seconds + seconds))
            if not math.isfinite(loss):
                raise Diverged(self.step, f"the loss is {loss}")

    def _set_normalizer(self, *, relu: bool) -> None:
        for network in (self._learner, self.network):
            set_attention_normalizer(network, "relu" if relu else "softmax")


def first_relu_step(steps: int, finetune_share: float) -> int:
    """The step, counted from 1, from which ``softmax->relu`` transformers run with relu; at most ``steps``."""
    return steps - max(1, round(steps * finetune_share)) + 1
