"""The card of a model's export: what the files are, and what they draw."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from archlab.evaluation import Score
from archlab.evaluation.fact import STRICT, Whole
from archlab.export.forms.form import ExportedFile, Port
from archlab.export.pictures import Pictures
from archlab.model.facts import ModelFacts, TrainingFacts


@dataclass(frozen=True, kw_only=True)
class ModelExport:
    """``card.json``.

    Attributes:
        model: what is known of the weights.
        macs_g: of one pass of the UNet.
        passes: of the UNet for an image, as the model draws unless asked otherwise.
        scheduler: diffusers' name of the model's own.
        pictures: what was drawn with each precision.
        has_program: whether ``sample.py`` draws with the files.
        remarks: what else is to be known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    model: ModelFacts
    params_m: float
    macs_g: float
    passes: Whole
    scheduler: str
    files: tuple[ExportedFile, ...]
    pictures: tuple[Pictures, ...]
    has_program: bool
    remarks: tuple[str, ...]
    archlab: str


_ALONG = (
    "",
    "Along a control a pass is that of the UNet that takes residuals; a ControlNet runs beside each of them, an "
    "adapter once an image. `controlled.png`: a row a prompt: the picture, torch's image along it, then the others'.",
)


def model_card(export: ModelExport) -> str:
    """Markdown for a person who finds the folder."""
    sections = [
        _head(export),
        _program(any(those.control for those in export.pictures)) if export.has_program else [],
        _precisions(export.pictures),
        _files(export.files),
        _ports(export.files),
        _origin(export.model),
    ]
    return "\n".join(line for section in sections for line in [*section, ""] if section)


def _head(export: ModelExport) -> list[str]:
    facts = export.model
    size = f"{facts.image_size}×{facts.image_size}"
    return [
        f"# {facts.name}",
        "",
        f"A text-to-image model for devices: {size} pixels, a UNet of {export.params_m:.2f} M params and "
        f"{export.macs_g:.3g} G MACs a pass, architecture `{facts.architecture}`. It draws in {facts.steps} steps with "
        f"guidance {facts.guidance:g}: {export.passes} passes an image.",
        *(f"\n{remark}." for remark in export.remarks),
    ]


def _program(along: bool) -> list[str]:
    return [
        "## Draw",
        "",
        "```bash",
        "pip install numpy ai-edge-litert",
        'python sample.py "a prompt" --seed 1 --out picture.png    # --steps, --guidance, --precision: see --help',
        *(['python sample.py "a prompt" --control edges.png             # needs Pillow, too'] if along else ()),
        "```",
        "",
        "`sample.py` is short, and a program in any other language does the same with `scheduler.json`: encode the "
        "prompt and, for guidance, the empty one; start from noise times `init_noise_sigma`; in each step run the "
        "UNet, with a batch of one, once or twice; then x̂ and ε̂ follow from `prediction_type`, α and σ, and the next "
        "latent is `next_alpha · x̂ + next_sigma · ε̂ + correction · (x̂ − x̂ of the step before)`; at last the decoder, "
        "if there is one, gets `latent / scale + shift`.",
    ]


def _precisions(pictures: Sequence[Pictures]) -> list[str]:
    if not any(those.compared or those.scores for those in pictures):
        return []
    names = list(dict.fromkeys(name for those in pictures for name in those.scores))
    along = any(those.control for those in pictures)
    header = ["runtime", "weights", *["along"] * along, "PSNR, dB", "of", "pass, ms", *["control, ms"] * along, *names]
    rows = [_row(those, along, names) for those in pictures]
    labels = {name: those.scores[name].label for those in pictures for name in those.scores}
    return [
        "## What each precision draws",
        "",
        *_table(header, rows),
        "",
        "PSNR: of the image, against torch's of the same prompts, noise and steps. Pass: the median of the UNet's "
        "while these images were drawn, with one thread on the computer that exported: an impression, not a "
        "measurement; `archlab latency` measures."
        + (f" Scores: {'; '.join(labels.values())}, ± standard error." if labels else ""),
        "",
        "`samples.png`: a row a prompt: torch's image, then each row of this table's.",
        *(_ALONG if along else ()),
    ]


def _row(those: Pictures, along: bool, names: Sequence[str]) -> list[str]:
    control = "" if those.control_ms is None else f"{those.control_ms:.2f}"
    return [
        *(those.runtime, those.precision, *[those.control or ""] * along),
        *_compared(those),
        *[control] * along,
        *(_score(those.scores.get(name)) for name in names),
    ]


def _compared(those: Pictures) -> list[str]:
    if not those.compared:
        return ["", "", ""]
    images = f"{those.compared} image{'' if those.compared == 1 else 's'}, {those.steps} steps"
    distance = f"**{those.note}**" if those.psnr_db is None else f"{those.psnr_db:.1f}"
    return [distance, images, "" if those.pass_ms is None else f"{those.pass_ms:.2f}"]


def _score(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.3f} ± {score.error:.3f}"


def _files(files: Iterable[ExportedFile]) -> list[str]:
    rows = [_file(file) for file in files]
    return [
        "## Files",
        "",
        *_table(["file", "network", "runtime", "weights", "MB", "difference from torch", ""], rows),
        "",
        "Difference: the largest on random inputs, as a share of the output's scale. `scheduler.json`: how to draw. "
        "`card.json`: all of this for programs.",
    ]


def _file(file: ExportedFile) -> list[str]:
    left = f"not accelerated: {', '.join(file.unaccelerated)}" if file.unaccelerated else ""
    return [
        "not written" if file.file is None else f"`{file.file}`",
        file.component,
        file.runtime,
        file.precision,
        "" if file.size_mb is None else f"{file.size_mb:.2f}",
        "" if file.parity_max_relative is None else f"{file.parity_max_relative:.1e}",
        "; ".join(said for said in (left, file.note) if said),
    ]


def _ports(files: Iterable[ExportedFile]) -> list[str]:
    """Inputs and outputs, once for all files of a runtime that have the same."""
    rows: dict[tuple[str, ...], str] = {}
    for file in files:
        if file.inputs:
            rows.setdefault((file.runtime, file.component, _named(file.inputs), _named(file.outputs)), f"`{file.file}`")
    header = ["runtime", "network", "inputs", "outputs", "of"]
    return [
        "## Inputs and outputs",
        "",
        *_table(header, ([*described, first] for described, first in rows.items())),
        "",
        "Files of other precisions have the same as these, unless they have a row of their own.",
    ]


def _named(ports: Iterable[Port]) -> str:
    return "<br>".join(f"`{port.name}` {port.dtype} {[*port.shape]}" for port in ports)


def _origin(facts: ModelFacts) -> list[str]:
    return [
        "## Where it comes from",
        "",
        *([_data(facts)] if facts.data else ["- Data: not known."]),
        *_training_of(facts),
        *(f"- A LoRA is in its weights: {lora.name}, times {lora.weight:g}." for lora in facts.loras),
        *([f"- Words of its captions: {', '.join(facts.vocabulary[:200])}."] if facts.vocabulary else []),
        f"- Made by archlab {facts.archlab}.",
        "- Licence: archlab claims none on these weights. They stand under the terms of the data, and of the text "
        "encoder, VAE and teacher that were used: check them before you ship.",
    ]


def _data(facts: ModelFacts) -> str:
    return f"- Data: {facts.data}" + (f", content hash `{facts.data_id}`." if facts.data_id else ".")


def _training_of(facts: ModelFacts) -> list[str]:
    if facts.distillation is not None:
        distilled = facts.distillation
        phases = "; ".join(distilled.phases)
        return [f"- Distilled from {distilled.of} by {distilled.method}, taught by {distilled.teacher}: {phases}."]
    return [_training(facts.training)] if facts.training else ["- Training: elsewhere, or not known."]


def _training(training: TrainingFacts) -> str:
    found = "" if training.val_loss is None else f", validation loss {training.val_loss:.4f}"
    teacher = "" if training.teacher is None else f", taught by {training.teacher}"
    how = f"{training.steps:,} steps in {training.seconds / 60:.1f} minutes, seed {training.seed}"
    return f"- Training: {how}{teacher}{found}."


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows)]
