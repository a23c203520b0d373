"""Train a proxy with AdamW, an average of the weights, and prompts dropped for guidance."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.checkpoint import below, prefixed
from archlab.diffusion.process import Batch, error
from archlab.encoders.prepare import Prepared, device_of
from archlab.errors import BadInput, RunFailed
from archlab.space.settings import ProxySettings
from archlab.training.batches import endless_batches
from archlab.training.curve import CurveRow, curve_rows, curve_tensor
from archlab.training.distill import Lesson
from archlab.training.flat import flatten, gather_gradients
from archlab.unet import UNet, build, set_attention_normalizer

MAX_GRADIENT_NORM = 1.0


class Diverged(RunFailed):
    """Training or its score became infinite or NaN."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"the proxy diverged at step {step}: {reason}; try a lower proxy.learning_rate")
        self.step, self.reason = step, reason


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained proxy.

    Attributes:
        unet: with averaged weights, in the form that is deployed, in evaluation mode.
        curve: one row a step.
        rungs: validation loss of the averaged weights at each rung.
        seconds: time in training steps alone, without scoring.
    """

    unet: nn.Module
    curve: tuple[CurveRow, ...]
    rungs: dict[int, float]
    seconds: float


def train(
    spec: UNetSpec,
    prepared: Prepared,
    settings: ProxySettings,
    *,
    seed: int,
    score: Callable[[nn.Module], float],
    start: UNet | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Trained:
    """Train to the last rung; initial weights, batches, time steps and noise follow ``seed`` alone.

    Args:
        score: of the averaged network, lower is better; called at every rung.
        start: begin with a copy of this network of ``spec`` instead of random weights.
        progress: called after every step with the share that is done.

    Raises:
        Diverged: the loss or a score is infinite or NaN.
    """
    training = Training(spec, prepared, settings, seed=seed, start=start)
    rungs: dict[int, float] = {}
    for rung in settings.rungs:
        training.run(rung, lambda: progress(training.step / settings.rungs[-1]))
        rungs[rung] = finite(score(training.network), rung, "the score")
    return Trained(training.network, tuple(training.curve), rungs, training.seconds)


def finite(score: float, step: int, label: str) -> float:
    """The score itself.

    Raises:
        Diverged: it is infinite or NaN.
    """
    if not math.isfinite(score):
        raise Diverged(step, f"{label} is {score}")
    return score


class Training:
    """One seed's training. What `state` gives, another one of the same arguments takes up by `load_state`, bit for bit.

    On a GPU the processor runs ahead: losses are read back, and are in ``curve``, when `run` ends or `state` is asked
    for.

    Args:
        start: begin with a copy of this network of ``spec`` instead of random weights.
        teacher: learn from this network, too, as ``settings.distill`` has it.
        micro_batch: how many images are in memory at once; absent: all of a batch. The gradient is the whole batch's.

    Attributes:
        curve: one row for each step that was made.
        network: averaged weights, in evaluation mode; ``softmax->relu`` transformers run with softmax until their
            finetuning begins.

    Raises:
        BadInput: the settings ask for a device or a precision that there is not.
    """

    def __init__(
        self,
        spec: UNetSpec,
        prepared: Prepared,
        settings: ProxySettings,
        *,
        seed: int,
        start: UNet | None = None,
        teacher: UNet | None = None,
        micro_batch: int | None = None,
    ) -> None:
        self.curve: list[CurveRow] = []
        self._device = training_device(settings)
        self._autocast = settings.precision == "bf16"
        self._micro_batch = micro_batch or settings.batch_size
        self._relu_from = first_relu_step(settings.rungs[-1], settings.finetune_share)
        self._unet = (untrained(spec, seed) if start is None else copy.deepcopy(start).train()).to(self._device)
        self._ema_decay = settings.ema_decay
        self.network: nn.Module = copy.deepcopy(self._unet).eval()
        self._lesson = None
        if teacher is not None and settings.distill is not None:
            self._lesson = Lesson(self._unet, copy.deepcopy(teacher).to(self._device), settings.distill, seed)
        self._parameters = [*self._unet.parameters(), *(self._lesson.fits.parameters() if self._lesson else ())]
        self._weights = flatten(self._parameters)
        self._optimizer = torch.optim.AdamW([self._weights], lr=settings.learning_rate, fused=True)
        self._generator = torch.Generator().manual_seed(seed)
        self._batches = endless_batches(prepared, settings, self._generator)
        self._unread: list[Tensor] = []
        self._since = 0.0
        self._set_normalizer(relu=False)

    @property
    def step(self) -> int:
        """How many steps were made."""
        return len(self.curve) + len(self._unread)

    @property
    def _reads_at_once(self) -> bool:
        return self._device.type == "cpu"

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
            self._unread.append(self._learn(batch.to(self._device)))
            if self._reads_at_once or self.step == until:
                self._read_losses()
            after_step()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, and the curve.

        Raises:
            Diverged: see `run`.
        """
        self._read_losses()
        moments = self._optimizer.state_dict()["state"]
        return {
            **prefixed("unet", self._unet.state_dict()),
            **prefixed("averaged", self.network.state_dict()),
            **prefixed("fits", self._lesson.fits.state_dict() if self._lesson else {}),
            **{f"optimizer.{name}": moment for name, moment in moments.get(0, {}).items()},
            "generator": self._generator.get_state(),
            "curve": curve_tensor(self.curve),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._unet.load_state_dict(below("unet", state))
        self.network.load_state_dict(below("averaged", state))
        if self._lesson is not None:
            self._lesson.fits.load_state_dict(below("fits", state))
        moments = below("optimizer", state)
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": {0: moments} if moments else {}})
        self._generator.set_state(state["generator"])
        self.curve = curve_rows(state["curve"])
        self._set_normalizer(relu=self.step >= self._relu_from)

    def _learn(self, batch: Batch) -> Tensor:
        """One optimiser step; the loss stays where it is: []."""
        parts = [self._backward(part, len(batch.target)) for part in batch.split(self._micro_batch)]
        gather_gradients(self._weights, self._parameters)
        torch.nn.utils.clip_grad_norm_(self._weights, MAX_GRADIENT_NORM)
        self._optimizer.step()
        average_weights(self.network, self._unet, self.step, self._ema_decay)
        return torch.stack(parts).sum()

    def _backward(self, part: Batch, images: int) -> Tensor:
        """The part's share of the mean loss over all ``images``."""
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            prediction = self._unet(channels_last(part.noisy), part.timesteps, part.context)
            losses = error(prediction, part.target) * part.weight
            if self._lesson is not None:
                losses = losses + self._lesson.losses(part, prediction)
        loss = losses.sum() / images
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()

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
        for network in (self._unet, self.network):
            set_attention_normalizer(network, "relu" if relu else "softmax")


def training_device(settings: ProxySettings) -> torch.device:
    """Where a proxy is trained.

    Raises:
        BadInput: there is no such device, or it does not compute with the precision that is asked for.
    """
    device = device_of(settings)
    if settings.precision == "bf16" and device.type == "cpu":
        raise BadInput("proxy.precision: bf16 needs a CUDA device, and training is on the CPU; take fp32")
    return device


def first_relu_step(steps: int, finetune_share: float) -> int:
    """The step, counted from 1, from which ``softmax->relu`` transformers run with relu; at most ``steps``."""
    return steps - max(1, round(steps * finetune_share)) + 1


def channels_last(images: Tensor) -> Tensor:
    """[B, C, H, W] as [B, H, W, C] in memory, in which a network stays: its tokens are then views of its feature maps.

    A copy, because one with a single channel would count as either layout.
    """
    return images.clone(memory_format=torch.channels_last)


def average_weights(averaged: nn.Module, unet: nn.Module, updates: int, decay: float) -> None:
    """Update a moving average that forgets faster while young, as diffusers' ``EMAModel`` has it.

    Args:
        updates: how many there were before; the first one copies.
    """
    kept = min(decay, (1 + updates) / (10 + updates)) if updates else 0.0
    with torch.no_grad():
        torch._foreach_lerp_(list(averaged.parameters()), list(unet.parameters()), 1 - kept)


def untrained(spec: UNetSpec, seed: int) -> UNet:
    """The network with weights that follow ``seed`` alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(spec)
