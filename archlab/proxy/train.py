"""Train a proxy: noise prediction with AdamW, an average of the weights, and prompts dropped for guidance."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from archlab.architecture import UNetSpec
from archlab.errors import RunFailed
from archlab.proxy.checkpoint import below, prefixed
from archlab.proxy.curve import CurveRow, curve_rows, curve_tensor
from archlab.proxy.data import CaptionedImages
from archlab.proxy.diffusion import noise_loss, noise_schedule, spread_timesteps
from archlab.proxy.text import NULL_PROMPT, encode
from archlab.space.settings import ProxySettings
from archlab.unet import UNet, build, set_attention_normalizer

MAX_GRADIENT_NORM = 1.0
_Tensors = tuple[Tensor, ...] | list[Tensor]


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


class Batch(NamedTuple):
    """What one step learns from."""

    noisy: Tensor  # [B, C, H, W]
    timesteps: Tensor  # [B]
    context: Tensor  # [B, L, D]
    noise: Tensor  # [B, C, H, W]

    def split(self, size: int) -> Iterator["Batch"]:
        """Parts of at most ``size`` images."""
        return (Batch(*parts) for parts in zip(*(torch.split(tensor, size) for tensor in self), strict=True))


def train(
    spec: UNetSpec,
    data: CaptionedImages,
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
    training = Training(spec, data, settings, seed=seed, start=start)
    rungs: dict[int, float] = {}
    for rung in settings.rungs:
        training.run(rung, lambda: progress(training.step / settings.rungs[-1]))
        rungs[rung] = finite(score(training.network), rung)
    return Trained(training.network, tuple(training.curve), rungs, training.seconds)


def finite(val_loss: float, step: int) -> float:
    """The validation loss itself.

    Raises:
        Diverged: it is infinite or NaN.
    """
    if not math.isfinite(val_loss):
        raise Diverged(step, f"the validation loss is {val_loss}")
    return val_loss


class Training:
    """One seed's training. What `state` gives, another one of the same arguments takes up by `load_state`, bit for bit.

    Args:
        micro_batch: how many images are in memory at once; absent: all of a batch. The gradient is the whole batch's.

    Attributes:
        curve: one row for each step that was made.
        network: averaged weights, in evaluation mode; ``softmax->relu`` transformers run with softmax until their
            finetuning begins.
    """

    def __init__(
        self,
        spec: UNetSpec,
        data: CaptionedImages,
        settings: ProxySettings,
        *,
        seed: int,
        start: UNet | None = None,
        micro_batch: int | None = None,
    ) -> None:
        self.curve: list[CurveRow] = []
        self._micro_batch = micro_batch or settings.batch_size
        self._relu_from = first_relu_step(settings.rungs[-1], settings.finetune_share)
        self._unet = _build(spec, seed) if start is None else copy.deepcopy(start).train()
        self._averaged = averaged_model(self._unet, settings.ema_decay)
        self.network: nn.Module = self._averaged.module.eval()
        self._parameters = list(self._unet.parameters())
        self._optimizer = torch.optim.AdamW(self._parameters, lr=settings.learning_rate, fused=True)
        self._generator = torch.Generator().manual_seed(seed)
        self._batches = _draw_batches(data, settings, self._generator)
        self._set_normalizer(relu=False)

    @property
    def step(self) -> int:
        """How many steps were made."""
        return len(self.curve)

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
            started = time.perf_counter()
            if self.step + 1 == self._relu_from:
                self._set_normalizer(relu=True)
            loss = self._learn(batch)
            self.curve.append(CurveRow(self.step + 1, loss, self.seconds + time.perf_counter() - started))
            if not math.isfinite(loss):
                raise Diverged(self.step, f"the loss is {loss}")
            after_step()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, and the curve."""
        moments = self._optimizer.state_dict()["state"]
        return {
            **prefixed("unet", self._unet.state_dict()),
            **prefixed("averaged", self._averaged.state_dict()),
            **{f"optimizer.{index}.{name}": moment for index, of in moments.items() for name, moment in of.items()},
            "generator": self._generator.get_state(),
            "curve": curve_tensor(self.curve),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        self._unet.load_state_dict(below("unet", state))
        self._averaged.load_state_dict(below("averaged", state))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, moment in below("optimizer", state).items():
            index, name = key.split(".")
            moments.setdefault(int(index), {})[name] = moment
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": moments})
        self._generator.set_state(state["generator"])
        self.curve = curve_rows(state["curve"])
        self._set_normalizer(relu=self.step >= self._relu_from)

    def _learn(self, batch: Batch) -> float:
        self._optimizer.zero_grad()
        parts = [self._backward(part, len(batch.noise)) for part in batch.split(self._micro_batch)]
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_GRADIENT_NORM, foreach=True)
        self._optimizer.step()
        self._averaged.update_parameters(self._unet)
        return torch.stack(parts).sum().item()

    def _backward(self, part: Batch, images: int) -> Tensor:
        """The part's share of the mean loss over all ``images``."""
        loss = noise_loss(self._unet, *part).sum() / images
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()

    def _set_normalizer(self, *, relu: bool) -> None:
        for network in (self._unet, self.network):
            set_attention_normalizer(network, "relu" if relu else "softmax")


def batches(data: CaptionedImages, settings: ProxySettings, seed: int) -> Iterator[Batch]:
    """One batch for each step, the same for every architecture."""
    return islice(_draw_batches(data, settings, torch.Generator().manual_seed(seed)), settings.rungs[-1])


def _draw_batches(data: CaptionedImages, settings: ProxySettings, generator: torch.Generator) -> Iterator[Batch]:
    """Batches without end; whoever sets the generator's state back gets the same ones again."""
    schedule = noise_schedule()
    images = data.images[data.train]
    context = encode([data.captions[index] for index in data.train.tolist()])
    null = encode([NULL_PROMPT])
    count = settings.batch_size
    while True:
        chosen = torch.randint(len(images), (count,), generator=generator)
        noise = torch.randn((count, *images.shape[1:]), generator=generator)
        timesteps = spread_timesteps(count, generator)
        dropped = torch.rand(count, generator=generator) < settings.prompt_dropout
        yield Batch(
            noisy=schedule.add_noise(images[chosen], noise, timesteps),
            timesteps=timesteps,
            context=torch.where(dropped[:, None, None], null, context[chosen]),
            noise=noise,
        )


def first_relu_step(steps: int, finetune_share: float) -> int:
    """The step, counted from 1, from which ``softmax->relu`` transformers run with relu; at most ``steps``."""
    return steps - max(1, round(steps * finetune_share)) + 1


def averaged_model(unet: nn.Module, decay: float) -> AveragedModel:
    """A moving average of the weights that forgets faster while young, as diffusers' ``EMAModel`` has it."""

    def update(averages: _Tensors, weights: _Tensors, updates: Tensor | int) -> None:
        count = int(updates)
        torch._foreach_lerp_(averages, weights, 1 - min(decay, (1 + count) / (10 + count)))

    return AveragedModel(unet, multi_avg_fn=update)


def _build(spec: UNetSpec, seed: int) -> UNet:
    """The network with weights that follow ``seed`` alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(spec)
