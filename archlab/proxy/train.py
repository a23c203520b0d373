"""Train a proxy: noise prediction with AdamW, an average of the weights, and prompts dropped for guidance."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from archlab.architecture import UNetSpec
from archlab.errors import RunFailed
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


class CurveRow(NamedTuple):
    """One optimiser step: its batch's loss and the training seconds up to its end."""

    step: int
    loss: float
    seconds: float


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
    """Train to the last rung and call ``score`` with the averaged network at each.

    The weights at the start, the batches and the noise follow ``seed`` alone. Transformers declared
    ``softmax->relu`` train with softmax and run the last ``finetune_share`` of the steps with relu; a rung is
    scored with what is trained at that step.

    Args:
        start: a UNet of ``spec`` whose weights to start from instead; left as it is.

    Raises:
        Diverged: the loss or a score is infinite or NaN.
    """
    unet = _build(spec, seed) if start is None else copy.deepcopy(start).train()
    averaged = averaged_model(unet, settings.ema_decay)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=settings.learning_rate, fused=True)
    parameters = list(unet.parameters())
    steps = settings.rungs[-1]
    relu_from = first_relu_step(steps, settings.finetune_share)
    curve: list[CurveRow] = []
    rungs: dict[int, float] = {}
    seconds = 0.0
    for step, batch in enumerate(batches(data, settings, seed), start=1):
        started = time.perf_counter()
        if step in (1, relu_from):
            for network in (unet, averaged.module):
                set_attention_normalizer(network, "relu" if step == relu_from else "softmax")
        loss = noise_loss(unet, *batch).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM, foreach=True)
        optimizer.step()
        averaged.update_parameters(unet)
        seconds += time.perf_counter() - started
        curve.append(CurveRow(step, loss.item(), seconds))
        if not math.isfinite(curve[-1].loss):
            raise Diverged(step, f"the loss is {curve[-1].loss}")
        if step in settings.rungs:
            rungs[step] = score(averaged.module)
            if not math.isfinite(rungs[step]):
                raise Diverged(step, f"the validation loss is {rungs[step]}")
        progress(step / steps)
    return Trained(unet=averaged.module.eval(), curve=tuple(curve), rungs=rungs, seconds=seconds)


def batches(data: CaptionedImages, settings: ProxySettings, seed: int) -> Iterator[Batch]:
    """One batch for each step, the same for every architecture."""
    generator = torch.Generator().manual_seed(seed)
    schedule = noise_schedule()
    images = data.images[data.train]
    context = encode([data.captions[index] for index in data.train.tolist()])
    null = encode([NULL_PROMPT])
    count = settings.batch_size
    for _ in range(settings.rungs[-1]):
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
