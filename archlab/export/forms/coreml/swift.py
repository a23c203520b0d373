"""What an app needs to know to draw with apple/ml-stable-diffusion's Swift package, or without."""

from typing import Any

import torch
from diffusers import DDPMScheduler

from archlab.diffusion.schedules.scaled_linear import SCALED_LINEAR
from archlab.export.networks import Networks
from archlab.model import Model

SCRIPT = "compile.sh"
_DECODER_SCALE = 0.18215  # the package's own

_SCRIPT = """\
#!/bin/sh
# Makes Resources of this folder, on a Mac with Xcode: what StableDiffusionPipeline(resourcesAt:) of
# apple/ml-stable-diffusion loads.
set -eu
cd "$(dirname "$0")"
if ! command -v xcrun >/dev/null; then
    echo "compile.sh: there is no xcrun here; run this on a Mac with Xcode" >&2
    exit 1
fi
rm -rf Resources
mkdir Resources
for package in *.mlpackage; do
    xcrun coremlcompiler compile "$package" Resources
done
if [ -d controlnet ]; then
    mkdir Resources/controlnet
    for package in controlnet/*.mlpackage; do
        xcrun coremlcompiler compile "$package" Resources/controlnet
    done
fi
for file in vocab.json merges.txt; do
    if [ -f "$file" ]; then cp "$file" Resources; fi
done
"""


def script() -> str:
    """``compile.sh``."""
    return _SCRIPT


def remarks(networks: Networks, decoder_scale: float | None) -> list[str]:
    """What an app must know to draw with a model's packages, in one sentence; none without a model.

    Args:
        decoder_scale: what latents are divided by before the decoder; None where there is none.
    """
    model = networks.model
    if model is None:
        return []
    return [f"Core ML: {'; '.join(_said(networks, model, decoder_scale))}"]


def _said(networks: Networks, model: Model, decoder_scale: float | None) -> list[str]:
    gives = "the UNet gives ε: x̂ = (z − σ ε) / α"
    if networks.text_encoder is None or decoder_scale is None:
        return [gives, "ml-stable-diffusion draws with CLIP and a VAE alone, so an app of your own takes the steps"]
    said = [_schedulers(model)]
    if model.spec.guidance_dim is not None:
        said.append("ml-stable-diffusion has no input `timestep_cond`: give it in an app of your own")
    if decoder_scale != _DECODER_SCALE:
        said.append(f"set decoderScaleFactor to {decoder_scale:g}")
    return said if _fits(model.scheduler) else [gives, *said]


def _schedulers(model: Model) -> str:
    if _fits(model.scheduler):
        return _fitting(model)
    if getattr(model.scheduler, "alphas_cumprod", None) is None or model.scheduler.config.get("use_flow_sigmas"):
        return (
            "ml-stable-diffusion's schedulers for ε do not fit a straight path; write one with the steps of "
            "scheduler.json, from time step 999 on: at 1,000 ε is z and says nothing of the image"
        )
    return (
        "ml-stable-diffusion's schedulers do not fit: their √β rises from √0.00085 to √0.012, this model's do not; "
        "write one with the steps of scheduler.json"
    )


def _fitting(model: Model) -> str:
    if model.facts.distillation is None:
        return "it draws with .pndmScheduler and .dpmSolverMultistepScheduler of ml-stable-diffusion"
    if model.facts.steps == 1:
        return (
            "it draws with .dpmSolverMultistepScheduler of ml-stable-diffusion, timestepSpacing .linspace, stepCount 1 "
            "and a guidanceScale below 1, which takes a UNet of --unet-batch-one"
        )
    return "its few steps are none of ml-stable-diffusion's schedulers; write one with the steps of scheduler.json"


def _fits(scheduler: Any) -> bool:
    """Whether its noise is that of Stable Diffusion, at every time step."""
    own = DDPMScheduler(**SCALED_LINEAR.betas(1.0)).alphas_cumprod
    signal = getattr(scheduler, "alphas_cumprod", None)
    if signal is None or len(signal) != len(own) or scheduler.config.get("use_flow_sigmas"):
        return False
    return torch.allclose(signal.float(), own, rtol=1e-4)
