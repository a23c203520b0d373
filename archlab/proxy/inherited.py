"""The trained baseline: what a proxy may begin with, and whom it may learn from."""

from typing import Any

import torch
from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.checkpoint import CHECKPOINT_SECONDS, Checkpoint, now_and_then
from archlab.encoders.prepare import Prepared
from archlab.errors import RunFailed
from archlab.progress import ShareDone, silent_share
from archlab.proxy.cache import baseline_id, read_entry, training_entry, write_entry
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training
from archlab.training.device import training_device
from archlab.training.examples import Examples
from archlab.training.training import Diverged
from archlab.unet import UNet, inherit
from archlab.unet.untrained import untrained

BASELINE_SEED = 0
CALIBRATION_SEED = 0
CALIBRATION_BATCHES = 4


def needs_baseline(settings: ProxySettings) -> bool:
    """Whether a proxy begins with the trained baseline's weights, or learns from it."""
    return settings.init == "inherit" or settings.distill is not None


def trained_baseline(
    spec: UNetSpec,
    prepared: Prepared,
    settings: ProxySettings,
    micro_batch: int | None = None,
    progress: ShareDone = silent_share,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> UNet:
    """The baseline's proxy ``spec``, trained from random weights to the last rung: from the cache, or trained now.

    One for all seeds and studies of the same settings: whoever comes while it is trained elsewhere waits for it.
    Killed, it goes on where it was.

    Returns:
        The averaged weights, on the CPU, in the form that is deployed and in evaluation mode.

    Raises:
        RunFailed: its training diverged.
    """
    identity = baseline_id(spec, settings, prepared.id, training_device(settings, settings).type)
    with training_entry(identity).locked():
        weights = read_entry(identity)
        if weights is None:
            weights = Checkpoint(
                _trained(identity, spec, prepared, settings, micro_batch, progress, checkpoint_seconds), {}
            )
            write_entry(identity, weights)
            training_entry(_state(identity)).remove()
    unet = untrained(spec, BASELINE_SEED)
    unet.load_state_dict(weights.tensors)
    return unet.eval()


def heir(parent: UNet, spec: UNetSpec, examples: Examples, seed: int) -> UNet:
    """``spec`` with the parent's weights, as far as it can take them over (see `archlab.unet.inherit`); the rest, and
    nothing else, follows ``seed``."""
    seen = examples.first(CALIBRATION_BATCHES, CALIBRATION_SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return inherit(parent, spec, [(batch.noisy, batch.timesteps, batch.context) for batch in seen])


def what_is_inherited(unet: UNet) -> dict[str, Any] | None:
    """The parent's content hash, and how many weights were taken over in which way; None for one without a parent."""
    taken = unet.inheritance
    if taken is None:
        return None
    return {"parent": taken.parent, "params": taken.params, "params_dropped": taken.params_dropped}


def _trained(
    identity: str,
    spec: UNetSpec,
    prepared: Prepared,
    settings: ProxySettings,
    micro_batch: int | None,
    progress: ShareDone,
    checkpoint_seconds: float,
) -> dict[str, Tensor]:
    state, steps = _state(identity), settings.rungs[-1]
    training = begin_training(spec, prepared, settings, seed=BASELINE_SEED, micro_batch=micro_batch)
    begun = read_entry(state)
    if begun is not None:
        training.load_state(begun.tensors)
    save = now_and_then(lambda: write_entry(state, Checkpoint(training.state(), {})), checkpoint_seconds)

    def after_step() -> None:
        progress(training.step / steps)
        save()

    try:
        training.run(steps, after_step)
    except Diverged as error:
        raise RunFailed(f"the baseline: {error}") from None
    return training.network.state_dict()


def _state(identity: str) -> str:
    return f"{identity}-training"
