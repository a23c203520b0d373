"""How quality is judged by a proxy: the section of a YAML."""

import os
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from archlab.document import Document, Place
from archlab.errors import nearest
from archlab.evaluation.measures import QUALITIES
from archlab.section import Amount, Count, Section

Prediction = Literal["epsilon", "v", "flow"]
NoiseSchedule = Literal["cosine", "linear", "shifted"]
ImageSampler = Literal["ddim", "dpm", "euler"]

BUILTIN_DATA = ("digits", "shapes")

_NAMED_OR_PATH: dict[str, tuple[str, ...]] = {
    "data": BUILTIN_DATA,
    "vae": (),
    "text": (),
    "extractor": ("reader",),
    "clip": (),
}


def _is_quality(name: str) -> str:
    if name not in QUALITIES:
        raise ValueError(f"no {name!r}{nearest(name, QUALITIES)}")
    return name


Quality = Annotated[str, AfterValidator(_is_quality)]


class Scale(Section):
    """How the proxy is shrunk: channels × ``width``, images of side ``sample_size``."""

    width: Amount = 0.1
    sample_size: Count = 16


class Distillation(Section):
    """Weights of what a proxy learns from the trained baseline, added to its own loss (BK-SDM, arXiv 2305.15798)."""

    output: Annotated[float, Field(ge=0)] = 1.0
    features: Annotated[float, Field(ge=0)] = 0.0  # of every stage


class ProxySettings(Section):
    """How quality is judged: what the proxy is trained on, for how long, and how it is scored.

    The defaults of rungs, quality, batch size and learning rate are what ``reports/proxy_audit`` recommends.
    """

    data: Annotated[str, Field(min_length=1)]  # digits, shapes, or a path: captioned images, shards, COCO captions
    vae: str | None = None  # a diffusers folder; absent: pixels
    text: str | None = None  # a transformers folder with CLIP's text encoder; absent: words as fixed vectors
    scale: Scale = Scale()
    rungs: Annotated[tuple[Count, ...], Field(min_length=1)] = (100,)  # optimiser steps at which it is scored
    quality: Quality = "val_loss"
    seeds: Count = 1
    batch_size: Count = 16
    micro_batch: Count | None = None  # images that are in memory at once; absent: the whole batch
    learning_rate: Amount = 2e-3
    objective: Prediction = "epsilon"
    schedule: NoiseSchedule = "cosine"
    min_snr: Amount | None = None  # gamma of min-SNR weighting (arXiv 2303.09556); absent: every time step counts alike
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16 on CUDA only
    device: Literal["auto", "cpu", "cuda"] = "auto"
    init: Literal["random", "inherit"] = "random"  # inherit: begin with the trained baseline's weights
    distill: Distillation | None = None
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    prompt_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    finetune_share: Annotated[float, Field(gt=0, lt=1)] = 0.2  # last steps of softmax->relu, run with relu
    samples: Annotated[int, Field(ge=2)] = 256  # images that fid@N compares
    extractor: str = "reader"  # of the features that fid compares: trained on the data, or a path to weights
    clip: str | None = None  # a transformers folder with CLIP, for clip_score
    zero_cost: bool = False  # scores at initialisation as further columns
    sampler: ImageSampler = "dpm"
    sampling_steps: Count = 8  # so that a proxy is drawn from in less time than it was trained in
    score_steps: tuple[Count, ...] = ()  # further numbers of sampling steps that the trained proxy is scored at
    score_rungs: bool = False  # by everything at every rung, not at the last alone; audits do
    guidance: Annotated[float, Field(ge=1)] = 2.0
    threads: Count | None = None  # of torch while training on the CPU; absent: torch's own choice

    @model_validator(mode="after")
    def _rungs_rise(self) -> "ProxySettings":
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError(f"rungs must rise but are {list(self.rungs)}")
        return self


def with_paths(proxy: ProxySettings, place: Place, document: Document) -> ProxySettings:
    """The settings, whatever of data, weights and encoders is a path, which is relative to the YAML, relative to the
    working directory unless absolute.

    Raises:
        BadInput: a path is not there.
    """
    found = {}
    for key, builtin in _NAMED_OR_PATH.items():
        name = getattr(proxy, key)
        if name is None or name in builtin:
            continue
        path = document.path.parent / name
        if not os.path.exists(path):
            message = f"no {name!r}, nor is it a path{nearest(name, builtin)}" if builtin else f"no such path: {name!r}"
            raise document.error([*place, key], message)
        found[key] = name if os.path.isabs(name) else os.path.relpath(path)
    return proxy.model_copy(update=found)
