"""Scores of models: what they draw with several numbers of steps, judged by one data set, beside what it costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from archlab.cost import count
from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.encoders.prepare import encode_data
from archlab.errors import BadInput, RunFailed
from archlab.evaluation import Score
from archlab.evaluation.latency import Latency
from archlab.evaluation.model_scores import ModelScores
from archlab.latency import measure
from archlab.latency.devices.registry import runner
from archlab.model.model import Model
from archlab.model.score_cache import cached_scores, drawing_id, loss_id
from archlab.progress import Progress, silent
from archlab.scores.attribute_classifier import LEAST_ACCURACY
from archlab.scores.images import ImageScorer
from archlab.scores.settings import JudgeSettings
from archlab.scores.validation import ValidationLoss

Say = Callable[[str], None]

_COLOURS = {1: "grey", 3: "coloured"}


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How models are scored.

    Attributes:
        steps: numbers of sampling steps; None for each model's own.
        samples: images that are drawn, with the seeds 0, 1, 2 …, the same for every model.
        guidance: None for each model's own.
        data: that judges; None for what each model was trained on.
        devices: whose latency is measured.
    """

    steps: tuple[int | None, ...] = (None,)
    samples: int = 256
    guidance: float | None = None
    data: str | None = None
    judges: JudgeSettings = field(default_factory=JudgeSettings)
    devices: tuple[str, ...] = ("tflite",)


def score_models(
    models: Mapping[str, Model], scoring: Scoring, progress: Progress = silent, say: Say = lambda _: None
) -> list[ModelScores]:
    """A row for each model and number of steps, in this order. What was scored once is not drawn again.

    Args:
        models: by what they are called.
        progress: called with ``images``, ``reference``, ``convert``, ``measure``, ``encode`` or ``draw …`` and the
            share of it that is done.
        say: called with what a person should know before they trust a score.

    Raises:
        BadInput: a model's data is not known or not there, models are of different data or draw other images than the
            data's, or a judge or device cannot be had.
        RunFailed: a model draws no numbers, or its latency cannot be measured.
    """
    data = common_data(models, scoring.data, progress)
    for name, model in models.items():
        if scoring.data is None and model.facts.data_id not in (None, data.id):
            say(f"{name}: {model.facts.data} has changed since it was trained on it, and may have its training images")
    for device in scoring.devices:
        runner(device)
    scorer = ImageScorer(data, scoring.samples, scoring.judges, next(iter(models.values())).device, progress)
    if (accuracy := scorer.reader_accuracy) is not None and accuracy < LEAST_ACCURACY:
        say(f"adherence: its judge reads only {accuracy:.0%} of what real images show rightly")
    for metric, missing in scorer.too_few_images.items():
        say(f"{metric} {missing}")
    latency = {name: _latencies(model, scoring.devices, progress) for name, model in models.items()}
    judging = _Judging(data, scorer, scoring, progress)
    return [
        judging.row(name, model, steps, latency[name])
        for name, model in models.items()
        for steps in dict.fromkeys(steps or model.facts.steps for steps in scoring.steps)
    ]


@dataclass(frozen=True)
class _Judging:
    data: CaptionedImages
    scorer: ImageScorer
    scoring: Scoring
    progress: Progress

    def row(self, name: str, model: Model, steps: int, latency: Mapping[str, Latency]) -> ModelScores:
        cost, guidance = count(model.spec), self.scoring.guidance
        return ModelScores(
            model=name,
            architecture=model.spec.id,
            steps=steps,
            guidance=model.facts.guidance if guidance is None else guidance,
            passes=model.passes(steps, guidance),
            scores=self._of_images(name, model, steps) | self._val_loss(model),
            latency=latency,
            params_m=cost.params_m,
            macs_g=cost.macs_g,
        )

    def _of_images(self, name: str, model: Model, steps: int) -> dict[str, Score]:
        prompts, guidance = self.scorer.prompts, self.scoring.guidance
        stage = f"draw with {name}, {steps} step{'s' if steps > 1 else ''}"

        def judged() -> dict[str, Score]:
            report = partial(self.progress, stage)
            images = model.draw(prompts, range(len(prompts)), steps=steps, guidance=guidance, progress=report)
            if not images.isfinite().all():
                raise RunFailed(f"{name} draws infinite or NaN pixels with {steps} steps")
            return self.scorer.scores(images)

        judge = f"{self.data.id}-{self.scorer.id}"
        return cached_scores(drawing_id(model, steps, guidance, judge, len(prompts)), judged)

    def _val_loss(self, model: Model) -> dict[str, Score]:
        """Where it is known what the model was trained to predict."""
        diffusion = model.facts.diffusion
        if diffusion is None:
            return {}

        def loss() -> dict[str, Score]:
            prepared = encode_data(self.data, model.codec, model.text, self.progress)
            found = ValidationLoss(prepared, diffusion, model.at_once).scores(model.unet)
            return {"val_loss": found["val_loss"]}

        return cached_scores(loss_id(model, self.data), loss)


def common_data(models: Mapping[str, Model], source: str | None, progress: Progress = silent) -> CaptionedImages:
    """The data set that judges all of the models, at the size of their images.

    Args:
        source: None for what they were trained on.

    Raises:
        BadInput: it is not known, not there, not the same for all of them, or has other images than they draw.
    """
    found: dict[str, CaptionedImages] = {}
    for name, model in models.items():
        known = model.facts.data if source is None else source
        if known is None:
            raise BadInput(f"{name}: what it was trained on is not known; name the data that judges it: --data SOURCE")
        data = load_data(known, model.facts.image_size, progress)
        if data.channels != model.image_channels:
            raise BadInput(
                f"{name} draws {_COLOURS[model.image_channels]} images, those of {data.name} are "
                f"{_COLOURS[data.channels]}; name other data: --data SOURCE"
            )
        found[name] = data
    (first, data), *others = found.items()
    for name, other in others:
        if other.id != data.id:
            raise BadInput(
                f"{first} is judged by {_described(data)}, {name} by {_described(other)}: such scores cannot be "
                "compared; score them apart"
            )
    return data


def _described(data: CaptionedImages) -> str:
    return f"{data.name} at {data.images.shape[-1]} pixels"


def _latencies(model: Model, devices: Sequence[str], progress: Progress) -> dict[str, Latency]:
    return {device: measure(model.spec, device, progress=progress) for device in dict.fromkeys(devices)}
