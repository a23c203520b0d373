"""What a precision does to the pictures: how far they are from torch's, and how they score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median
from time import perf_counter
from typing import ClassVar, cast

from pydantic import ConfigDict
from torch import Tensor

from archlab.data.captioned import CaptionedImages
from archlab.data.edges import edges
from archlab.data.load import load_data
from archlab.errors import BadInput
from archlab.evaluation import Score
from archlab.evaluation.fact import STRICT, Whole
from archlab.export.forms.form import Run, Say
from archlab.export.networks import Networks
from archlab.export.runtime import RuntimeControl, through
from archlab.model import Model
from archlab.model.control import Control
from archlab.scores.images import ImageScorer
from archlab.scores.settings import JudgeSettings
from archlab.unet.controlled import ControlNetwork

_HIGHEST_DB = 150.0
_COMPARING_SECONDS, _SCORING_SECONDS = 60, 180  # at most, for one precision
_TIMED_PASSES = 3
_PROMPTS = ("a photo of a cat", "a red car in front of a house", "a bowl of fruit", "a boat at sea")


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What all networks of one runtime in one precision draw.

    Attributes:
        psnr_db: peak signal-to-noise ratio of the images that were compared with torch's, of the same prompts, noise
            and steps; at most 150. None where nothing was compared.
        compared: how many images.
        steps: of the images that were compared.
        pass_ms: the median pass of the UNet meanwhile, with one thread on this computer: an impression, no measurement.
            None where something else ran it in the runtime's place.
        scores: by metric, of images with the model's own number of steps; empty where there are none.
        control: along which they are drawn, by name; then a pass is that of the UNet that takes residuals.
        control_ms: the median run of the control meanwhile, likewise: beside every pass, or once an image.
        note: what is wrong with the images.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    runtime: str
    precision: str
    psnr_db: float | None = None
    compared: Whole = 0
    steps: Whole = 0
    pass_ms: float | None = None
    scores: dict[str, Score] = field(default_factory=dict)
    control: str | None = None
    control_ms: float | None = None
    note: str | None = None


@dataclass(frozen=True)
class Judging:
    """How many images of each precision are compared with torch's, and how many are scored; 0 leaves it out."""

    compared: int = 8
    scored: int = 64


USUAL = Judging()


class Judge:
    """Draws with a model, through torch and through runtimes, always of the same prompts and noise.

    Attributes:
        prompts: of the images that are compared.
        drawn: those images by what drew them, torch's first, all with the same number of steps: [N, C, H, W].
        along: likewise those that are drawn along a control's pictures.
    """

    def __init__(self, model: Model, networks: Networks, judging: Judging, say: Say) -> None:
        self._model, self._networks, self._judging, self._say = model, networks, judging, say
        self._data = _data_of(model, say)
        self._by_torch: dict[tuple[int, int], Tensor] = {}
        self.prompts = _prompts(self._data, judging.compared)
        self.drawn: dict[str, Tensor] = {}
        self.along: dict[str, Tensor] = {}

    @cached_property
    def torch(self) -> Pictures:
        """What torch draws: the scores that the others are held against."""
        return Pictures(runtime="torch", precision="fp32", scores=self._scores("torch", self._model, 0.0))

    def pictures(self, runtime: str, precision: str, runs: Mapping[str, Run], *, timed: bool = True) -> Pictures:
        """What these networks draw, by their names.

        Args:
            timed: whether it is the runtime that runs them, so that a pass's time says something of it.
        """
        model, unet = through(self._model, runs)
        pass_seconds = self._pass_seconds(runs["unet"])
        pictures = Pictures(runtime=runtime, precision=precision)
        if self.prompts:
            pictures = self._compared(pictures, model, pass_seconds)
            pictures = replace(pictures, pass_ms=median(unet.pass_ms) if timed else None)
        if pictures.note or not self.torch.scores:
            return pictures
        return replace(pictures, scores=self._scores(f"{runtime} {precision}", model, pass_seconds))

    def pictures_along(
        self, control: Control, runtime: str, precision: str, runs: Mapping[str, Run], *, timed: bool = True
    ) -> Pictures:
        """What these networks draw along a control's pictures, compared with what torch draws along them.

        Args:
            control: its pictures are as many as `prompts`, or one.
        """
        assert self._networks.control is not None
        model, unet = through(self._model, runs)
        network = RuntimeControl(control.network, runs[self._networks.control.network.name])
        count, steps = self._affordable(2 * self._pass_seconds(runs["unet"]))
        self._say(f"drawing {count} images with {runtime} {precision} along {control.name}, {steps} steps")
        within = replace(control, network=cast(ControlNetwork, network))
        images = self._draw(model, count, steps, within)
        reference = self._draw(self._model, count, steps, control)
        self.along = self.along or {"torch": reference}
        if len(images) == len(self.along["torch"]):
            self.along[f"{runtime} {precision}"] = images
        return Pictures(
            runtime=runtime,
            precision=precision,
            psnr_db=psnr_db(images, reference) if images.isfinite().all() else None,
            compared=count,
            steps=steps,
            pass_ms=median(unet.pass_ms) if timed else None,
            control=control.name,
            control_ms=median(network.run_ms) if timed else None,
            note=None if images.isfinite().all() else "it draws infinite or NaN pixels",
        )

    def edges(self, sigma: float) -> Tensor:
        """Of what torch draws of the prompts: pictures to draw along: [N, 3, H, W]."""
        drawn = self._torch_images(len(self.prompts), self._model.facts.steps)
        return edges(drawn, sigma).expand(-1, 3, -1, -1)

    def _compared(self, pictures: Pictures, model: Model, pass_seconds: float) -> Pictures:
        """With the distance from torch's images."""
        name, (count, steps) = f"{pictures.runtime} {pictures.precision}", self._affordable(pass_seconds)
        self._say(f"drawing {count} images with {name}, {steps} steps")
        images, reference = self._draw(model, count, steps), self._torch_images(count, steps)
        pictures = replace(pictures, compared=count, steps=steps)
        if not images.isfinite().all():
            return replace(pictures, note="it draws infinite or NaN pixels")
        self.drawn = self.drawn or {"torch": reference}
        if reference is self.drawn["torch"]:
            self.drawn[name] = images
        return replace(pictures, psnr_db=psnr_db(images, reference))

    def _affordable(self, pass_seconds: float) -> tuple[int, int]:
        """As many images and steps as take a minute at most, at least one image in one step."""
        own, most = self._model.facts.steps, len(self.prompts)
        for count, steps in ((most, own), (1, own), (1, min(8, own))):
            if count * self._model.passes(steps) * pass_seconds <= _COMPARING_SECONDS:
                return count, steps
        return 1, 1

    def _pass_seconds(self, run: Run) -> float:
        """The fastest of some: what else the computer does must not decide."""
        times = []
        for _ in range(_TIMED_PASSES):
            start = perf_counter()
            run(self._networks.unet.inputs)
            times.append(perf_counter() - start)
        return min(times)

    def _torch_images(self, count: int, steps: int) -> Tensor:
        if (count, steps) not in self._by_torch:
            self._by_torch[count, steps] = self._draw(self._model, count, steps)
        return self._by_torch[count, steps]

    def _draw(self, model: Model, count: int, steps: int, control: Control | None = None) -> Tensor:
        if control is not None:
            control = replace(control, pictures=control.pictures[:count])
        return model.draw(self.prompts[:count], range(count), steps=steps, control=control)

    def _scores(self, name: str, model: Model, pass_seconds: float) -> dict[str, Score]:
        """None where the data are not known, or it would take long."""
        if self._scorer is None:
            return {}
        prompts = self._scorer.prompts
        seconds = len(prompts) * model.passes() * pass_seconds
        if seconds > _SCORING_SECONDS:
            self._say(f"{name} is not scored: {len(prompts)} images would take about {seconds / 60:.0f} minutes")
            return {}
        self._say(f"scoring {len(prompts)} images of {name}")
        images = model.draw(prompts, range(len(prompts)))
        if not images.isfinite().all():
            self._say(f"{name} is not scored: it draws infinite or NaN pixels")
            return {}
        return self._scorer.scores(images)

    @cached_property
    def _scorer(self) -> ImageScorer | None:
        if self._data is None or self._judging.scored < 2:
            return None
        scorer = ImageScorer(self._data, self._judging.scored, JudgeSettings())
        return scorer if scorer.metrics else None


def psnr_db(images: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio of all of them together, in decibels: both [N, C, H, W] in [-1, 1]."""
    error = (images.double() - reference.double()).square().mean().item()
    return min(_HIGHEST_DB, 10 * math.log10(4 / error)) if error > 0 else _HIGHEST_DB


def _data_of(model: Model, say: Say) -> CaptionedImages | None:
    """What the model was trained on, where that is known and still there."""
    facts = model.facts
    if facts.data is None:
        return None
    try:
        data = load_data(facts.data, facts.image_size)
    except BadInput as error:
        say(f"no scores: {error}")
        return None
    if facts.data_id not in (None, data.id):
        say(f"no scores: {facts.data} has changed since {model.name} was trained on it")
        return None
    return data


def _prompts(data: CaptionedImages | None, count: int) -> Sequence[str]:
    prompts = _PROMPTS if data is None else data.prompts_to_draw(max(count, 1))[0]
    return [prompts[index % len(prompts)] for index in range(count)]
