"""What the training of a proxy takes on this computer: some of its steps and its scoring, timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from archlab.architecture import UNetSpec
from archlab.compute import naming_out_of_memory, torch_threads
from archlab.diffusion.process import AT_ONCE, loss
from archlab.encoders.prepare import Prepared
from archlab.latency.devices.computer import processor_name
from archlab.progress import Deadline, OutOfTime
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.parts import prepare_proxy, proxy_scorer, text_to_image
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training, examples
from archlab.scores.validation import ValidationLoss
from archlab.training.device import training_device
from archlab.training.training import Training
from archlab.unet.untrained import untrained

_MOST_STEPS = 8  # timed, after one that is not
_SHARE_FOR_STEPS = 0.3  # of the time that is left
_ENDLESS = 1_000_000  # steps of the training whose first ones are timed: no schedule is near its end
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class ProxyTiming:
    """Seconds of one seed's training, as its parts.

    Attributes:
        steps: how many were timed.
        step_seconds: of one step with everything that belongs to it: batch, gradient, optimiser, averaged weights.
        rung_seconds: of scoring at a rung that is not the last; 0 where there is one rung.
        end_seconds: of scoring at the last, with all images that are drawn.
        is_extrapolated: whether there was no time to score to the end: then its seconds follow from how long the
            network takes for an image, and what judges images is not in them.
        computer: the processor with its threads, or the GPU.
    """

    steps: int
    step_seconds: float
    rung_seconds: float
    end_seconds: float
    is_extrapolated: bool
    computer: str


def time_proxy(spec: UNetSpec, baseline: UNetSpec, settings: ProxySettings, deadline: Deadline) -> ProxyTiming:
    """Make the first steps of the proxy's own training, and score it once as it would be scored.

    Args:
        spec, baseline: targets, not yet shrunk. The baseline's proxy stands in untrained for a teacher.

    Raises:
        BadInput: with these settings no proxy can be trained.
        OutOfMemory, Diverged: its first steps cannot be made.
        OutOfTime: its data was not ready in time. One step is made in any case.
    """
    images, device = settings.micro_batch or settings.batch_size, training_device(settings, settings)
    with torch_threads(settings.threads), naming_out_of_memory(images):
        prepared = prepare_proxy(settings, deadline.progress)
        training = begin_training(
            proxy_spec(spec, settings),
            prepared,
            settings.model_copy(update={"rungs": (_ENDLESS,)}),
            seed=_SEED,
            teacher=untrained(proxy_spec(baseline, settings), _SEED).to(device) if settings.distill else None,
            micro_batch=images,
        )
        steps, step_seconds = _time_steps(training, deadline)
        rung_seconds, end_seconds, is_extrapolated = _time_scores(training.network, prepared, settings, deadline)
        return ProxyTiming(
            steps=steps,
            step_seconds=step_seconds,
            rung_seconds=rung_seconds,
            end_seconds=end_seconds,
            is_extrapolated=is_extrapolated,
            computer=_computer(device),
        )


def _time_steps(training: Training, deadline: Deadline) -> tuple[int, float]:
    """How many, and the mean seconds of one. The first one is slower than others, and counts only where it is alone."""
    until = _SHARE_FOR_STEPS * deadline.seconds_left
    training.run(1)
    first = training.seconds
    while training.step <= _MOST_STEPS and training.seconds < until:
        deadline.progress("time steps", training.step / (_MOST_STEPS + 1))
        training.run(training.step + 1)
    steps = training.step - 1
    return (steps, (training.seconds - first) / steps) if steps else (1, first)


def _time_scores(
    network: nn.Module, prepared: Prepared, settings: ProxySettings, deadline: Deadline
) -> tuple[float, float, bool]:
    """At a rung, at the end, and whether either was too long to be done."""
    an_image = _seconds_an_image(network, prepared, settings)
    validated = an_image * ValidationLoss(prepared, settings).draws
    passes = 1 if settings.guidance == 1 else 2
    steps = {settings.sampling_steps, *settings.score_steps}
    drawn = an_image * settings.samples * passes
    at_end = validated + drawn * sum(steps)
    at_rung = at_end if settings.score_rungs else validated
    if settings.quality != "val_loss" and not settings.score_rungs:
        at_rung = drawn * settings.sampling_steps
    is_pruned = len(settings.rungs) > 1
    guessed = (at_rung if is_pruned else 0.0, at_end, True)
    try:
        scorer = proxy_scorer(prepared, settings, AT_ONCE, deadline.progress)
        if at_end + at_rung > deadline.seconds_left:
            return guessed
        draw = partial(text_to_image(prepared, settings), network)

        def progress(share: float) -> None:
            deadline.progress("sample", share)

        rung = _seconds(lambda: scorer.at_rung(network, draw, progress)) if is_pruned else 0.0
        return rung, _seconds(lambda: scorer.at_end(network, draw, progress)), False
    except OutOfTime:
        return guessed


def _seconds_an_image(network: nn.Module, prepared: Prepared, settings: ProxySettings) -> float:
    """That the network takes for it, where nothing is learnt."""
    batch = next(examples(prepared, settings).batches(torch.Generator().manual_seed(_SEED)))

    @torch.no_grad()
    def ask() -> None:
        loss(network, batch).cpu()

    ask()
    return _seconds(ask) / batch.images


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _computer(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{processor_name()} with {threads} thread{'s' * (threads > 1)}"
