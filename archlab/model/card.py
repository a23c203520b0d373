"""A model's card: what it is, how it came about, how to draw with it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archlab.cost import count
from archlab.encoders.pixels import Pixels
from archlab.encoders.words import Words
from archlab.evaluation.fact import to_plain
from archlab.files import write_text
from archlab.model.facts import DistillationFacts, ModelFacts, TrainingFacts
from archlab.model.model import Model


def write_card(model: Model, folder: Path, prompt: str, inherited: dict[str, Any] | None) -> None:
    """Write ``card.md`` for people and ``card.json`` for programs.

    Args:
        prompt: an example.
        inherited: what the network began with, layer by layer: an `archlab.unet.Inheritance` as plain data.
    """
    write_text(folder / "card.md", "\n".join(_card(model, folder, prompt)) + "\n")
    cost = count(model.spec)
    facts = {
        **to_plain(model.facts),
        "params": cost.params,
        "macs": cost.macs,
        "latents": [model.spec.in_channels, model.spec.sample_size, model.spec.sample_size],
        "context": [model.spec.context_length, model.spec.context_dim],
        "inheritance": inherited,
    }
    write_text(folder / "card.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def _card(model: Model, folder: Path, prompt: str) -> Iterator[str]:
    facts, spec, cost = model.facts, model.spec, count(model.spec)
    how = "trained" if facts.distillation is None else "distilled"
    yield from (f"# {model.name}", "")
    yield (
        f"A text-to-image model, {how} by archlab {facts.archlab}: {cost.params_m:.2f} M params, {cost.macs_g:.3f} G "
        f"MACs a pass, images of {facts.image_size}×{facts.image_size} pixels from latents of "
        f"{spec.in_channels}×{spec.sample_size}×{spec.sample_size} and contexts of {spec.context_length} tokens × "
        f"{spec.context_dim}. Architecture `{spec.id}`."
    )
    yield from ("", "![what it draws](samples/final.png)", "")
    yield from _how_to_draw(model, folder, prompt)
    if facts.training is not None:
        yield from _training(facts, facts.training)
    if facts.distillation is not None:
        yield from _distillation(facts, facts.distillation)


def _how_to_draw(model: Model, folder: Path, prompt: str) -> Iterator[str]:
    facts = model.facts
    yield from ("## To draw", "")
    yield (
        f"{facts.steps} steps of {type(model.scheduler).__name__} with guidance {facts.guidance:g}: "
        f"{model.passes()} passes of the UNet an image{'' if facts.distillation else ', unless you ask otherwise'}."
    )
    yield from ("", "```bash", f'archlab generate {folder} --prompt "{prompt}" --seeds 0,1,2', "```", "", "```python")
    yield "from archlab.model import load_model"
    yield from ("", f'images = load_model("{folder}").generate(["{prompt}"], seeds=[0, 1, 2])', "```", "")
    if not (isinstance(model.codec, Pixels) or isinstance(model.text, Words)):
        yield from ("Or with diffusers:", "", "```python", "from diffusers import DiffusionPipeline", "")
        yield f'pipeline = DiffusionPipeline.from_pretrained("{folder}", trust_remote_code=True)'
        how = f"num_inference_steps={facts.steps}, guidance_scale={facts.guidance:g}"
        yield from (f'image = pipeline("{prompt}", {how}).images[0]', "```", "")


def _training(facts: ModelFacts, training: TrainingFacts) -> Iterator[str]:
    settings = training.settings
    yield from ("## How it was trained", "")
    yield f"- {training.steps:,} steps of {settings['batch_size']} images, {training.seconds:,.0f} s; `curve.csv`."
    yield f"- Data: {facts.data}, content hash `{facts.data_id}`."
    if training.val_loss is not None:
        label = "" if settings["objective"] == "epsilon" else f" ({settings['objective']})"
        yield f"- Validation loss{label}: {training.val_loss:.4f}. `archlab score` has the others."
    if training.teacher is not None:
        yield f"- Teacher: {training.teacher}; its parts of the loss: {settings['distill'] or 'none'}."
    if training.inherited is not None:
        params = ", ".join(f"{number:,} {how}" for how, number in training.inherited["params"].items())
        yield f"- It began with weights of `{training.inherited['parent']}`: {params}. Layer by layer in `card.json`."
    yield from ("", "| setting | value |", "| :-- | :-- |")
    yield from (f"| {key} | {_cell(value)} |" for key, value in settings.items() if value is not None)


def _distillation(facts: ModelFacts, distillation: DistillationFacts) -> Iterator[str]:
    yield from ("## How it was distilled", "")
    yield (
        f"From {distillation.of}, by {distillation.method}: {'; '.join(distillation.phases)}. It draws in "
        f"{facts.steps} steps and in no other number. The teacher's guidance {distillation.guidance:g} is folded in."
    )
    if distillation.teacher != distillation.of:
        yield from ("", f"- Teacher: {distillation.teacher}.")
    batch = distillation.settings["batch_size"]
    yield from ("", f"- {distillation.steps:,} steps of {batch} images, {distillation.seconds:,.0f} s; `curve.csv`.")
    yield f"- Data: {facts.data}, content hash `{facts.data_id}`."
    yield from ("", "| setting | value |", "| :-- | :-- |")
    yield from (f"| {key} | {_cell(value)} |" for key, value in distillation.settings.items() if value is not None)


def _cell(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
