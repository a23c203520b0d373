"""The trained proxy of a trial, or of the baseline, as a model."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from archlab.architecture import UNetSpec
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.errors import RunFailed
from archlab.evaluation import ProxyResult
from archlab.model.facts import TrainingFacts
from archlab.model.model import Model
from archlab.model.trained import trained_model
from archlab.proxy.evaluate import proxy_spec
from archlab.proxy.inherited import trained_baseline
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings
from archlab.unet import UNet, build


def trial_model(
    name: str,
    target: UNetSpec,
    settings: ProxySettings,
    weights: Path,
    result: ProxyResult | None,
    device: torch.device,
) -> Model:
    """The proxy of a trial.

    Args:
        name: what the model is called.
        target: the trial's architecture, not yet shrunk.
        weights: ``checkpoint.safetensors`` of the trial.
        result: what its training came to.

    Raises:
        BadInput: its data or encoders are not there any more.
        RunFailed: its trained weights are gone, or it was stopped before it had any.
    """
    if not weights.is_file():
        raise RunFailed(
            f"{weights}: there are no trained weights: the trial was gated or stopped, or the study came without them; "
            f"archlab train {name} --out models/NAME trains them"
        )
    spec, prepared = proxy_spec(target, settings).deployed, prepare_proxy(settings)
    unet = build(spec)
    unet.load_state_dict(load_file(weights))
    return _model(name, unet.to(device), prepared, settings, None if result is None else _training(result, settings))


def baseline_model(name: str, baseline: UNetSpec, settings: ProxySettings, device: torch.device) -> Model:
    """The baseline's proxy, trained to the last rung: from the cache, or now.

    Args:
        baseline: the target architecture, not yet shrunk.

    Raises:
        BadInput: its data or encoders are not there any more.
        RunFailed: its training diverged.
    """
    prepared, spec = prepare_proxy(settings), proxy_spec(baseline, settings)
    unet = build(spec.deployed)
    unet.load_state_dict(trained_baseline(spec, prepared, settings).state_dict())
    return _model(name, unet.to(device), prepared, settings, None)


def _model(name: str, unet: UNet, prepared: Prepared, settings: ProxySettings, training: TrainingFacts | None) -> Model:
    return trained_model(
        name,
        unet,
        prepared,
        settings.part(DiffusionSettings),
        data=settings.data,
        steps=settings.sampling_steps,
        guidance=settings.guidance,
        training=training,
    )


def _training(result: ProxyResult, settings: ProxySettings) -> TrainingFacts:
    first = result.by_seed[0]
    return TrainingFacts(
        settings=settings.model_dump(mode="json"),
        steps=result.steps,
        seconds=first.train_seconds,
        seed=first.seed,
        val_loss=first.val_loss,
        inherited=result.provenance.get("inherited"),
    )
