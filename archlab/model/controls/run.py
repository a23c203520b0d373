"""A control's training under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

import archlab
from archlab.architecture.way_down import way_down_id, way_down_in_words
from archlab.checkpoint import Checkpoint
from archlab.data.pictures import grid
from archlab.encoders.prepare import Prepared
from archlab.model.control import Control
from archlab.model.controls.facts import ControlFacts
from archlab.model.controls.ingredients import ControlIngredients
from archlab.model.model import Model
from archlab.model.train.loop import StepLoop
from archlab.model.train.recorder import Recorder
from archlab.model.train.watcher import Start
from archlab.progress import ShareDone, silent_share
from archlab.unet.controlled import ControlNetwork

_SHOWN = 24  # images of the validation split whose pictures are drawn along


@dataclass(frozen=True, eq=False)
class DrawsAlong:
    """A model with a control: an `archlab.model.train.pictures.Drawing`."""

    model: Model
    control: Control

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        at_once: int | None = None,
        progress: ShareDone = silent_share,
    ) -> Tensor:
        """See `Model.draw`."""
        return self.model.draw(prompts, seeds, control=self.control, at_once=at_once, progress=progress)


class ControlRun:
    """One run of a training, from a checkpoint or from the first step to the last.

    Args:
        checkpoint: from which it goes on, if it was under way.
    """

    def __init__(
        self, given: ControlIngredients, prepared: Prepared, recorder: Recorder, checkpoint: Checkpoint | None
    ) -> None:
        self._given, self._prepared, self._recorder = given, prepared, recorder
        self._settings = given.settings
        training = given.begin(prepared)
        self._loop = StepLoop(training, self._settings.steps, self._settings, recorder, checkpoint=checkpoint)

    def go(self) -> None:
        """Make the steps that are left.

        Raises:
            Diverged: the loss is infinite or NaN.
            KeyboardInterrupt: between two steps; the state is written.
        """
        self._recorder.tell("training_started", self._start())
        if self._loop.step == 0:
            self._write_pictures()
        self._loop.go(self._look, (self._settings.draw_every,))

    @property
    def network(self) -> ControlNetwork:
        """With averaged weights."""
        return cast(ControlNetwork, self._loop.training.network)

    @cached_property
    def prompts(self) -> list[str]:
        """Of the pictures."""
        return [self._prepared.data.captions[index] for index in self._shown.tolist()]

    def facts(self) -> ControlFacts:
        """What is to be known of the control as it is now."""
        given, spec = self._given, self._given.model.spec
        return ControlFacts(
            name=self._recorder.folder.resolve().name,
            kind=self._settings.kind,
            model=given.model.name,
            way_down=way_down_id(spec),
            way_down_in_words=way_down_in_words(spec),
            factor=given.factor,
            image_size=given.model.facts.image_size,
            condition=self._settings.condition,
            settings=self._settings.model_dump(mode="json"),
            steps=self._loop.step,
            seconds=self._loop.training.seconds,
            archlab=archlab.__version__,
        )

    def draw(self, name: str) -> None:
        """Write what the model draws along the shown pictures."""
        control = Control(name="", network=self.network, pictures=self._pictures)
        at_once = max(1, self._given.micro_batch // 2)  # guidance asks twice
        drawing = DrawsAlong(self._given.model, control)
        self._recorder.draw(drawing, self.prompts, self._loop.step, name, at_once)

    def _look(self) -> None:
        """Draw now and then, unless an earlier run has."""
        loop = self._loop
        if loop.is_due(self._settings.draw_every) and not loop.is_at_end and not loop.is_drawn:
            self.draw(loop.picture)

    @cached_property
    def _shown(self) -> Tensor:
        """Images of the validation split, spread over it: int64 [N]."""
        validation = self._prepared.data.validation
        count = min(_SHOWN, len(validation))
        return validation[torch.arange(count) * len(validation) // count]

    @cached_property
    def _pictures(self) -> Tensor:
        return self._given.conditions(self._prepared)[self._shown]

    def _write_pictures(self) -> None:
        """``samples/pictures.png``: what is drawn along, in the order of the other samples."""
        path = self._recorder.folder / "samples" / "pictures.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grid(2 * self._pictures - 1, self.prompts, path)

    def _start(self) -> Start:
        return Start(
            folder=self._recorder.folder,
            uid=self._recorder.uid,
            settings=self._settings,
            steps=self._settings.steps,
            architecture=self._given.model.spec.id,
            params=sum(weight.numel() for weight in self.network.parameters()),
            images_per_step=self._settings.batch_size,
            prompt=self.prompts[0],
            curve=self._loop.curve(),
        )
