"""A training under way: what is done between its steps, and the model that it leaves."""

from functools import cached_property
from typing import Any, cast

from archlab.checkpoint import Checkpoint
from archlab.diffusion.process import AT_ONCE
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.model.facts import TrainingFacts
from archlab.model.model import Model
from archlab.model.train.ingredients import Ingredients
from archlab.model.train.loop import StepLoop, kept_of
from archlab.model.train.pictures import shown_prompts
from archlab.model.train.recorder import Recorder
from archlab.model.train.watcher import Start
from archlab.model.trained import deployed, trained_model
from archlab.scores.validation import ValidationLoss
from archlab.training.training import Training, finite
from archlab.unet import UNet


class TrainingRun:
    """One run of a training, from a checkpoint or from the first step to the last.

    Of several processes all make the steps, and the first one does the rest.

    Args:
        training: before its first step.
        checkpoint: from which it goes on, if it was under way.
        inherited: what the network began with, of a training that begins.
    """

    def __init__(
        self,
        ingredients: Ingredients,
        prepared: Prepared,
        training: Training,
        recorder: Recorder,
        checkpoint: Checkpoint | None,
        inherited: dict[str, Any] | None,
    ) -> None:
        self._ingredients, self._prepared = ingredients, prepared
        self._settings, self._recorder = ingredients.settings, recorder
        self.inherited = inherited if checkpoint is None else kept_of(checkpoint).facts["inherited"]
        self._loop = StepLoop(
            training,
            self._settings.steps,
            self._settings,
            recorder,
            kept=Checkpoint({}, {"inherited": self.inherited}),
            checkpoint=checkpoint,
        )

    def go(self) -> None:
        """Make the steps that are left.

        Raises:
            Diverged: the loss is infinite or NaN.
            KeyboardInterrupt: between two steps; the state is written.
        """
        self._recorder.tell("training_started", self._start())
        self._loop.go(self._look, (self._settings.validate_every, self._settings.draw_every))

    def model(self) -> Model:
        """The averaged weights in the form that is deployed, with everything that draws from them, on the CPU."""
        settings = self._settings
        inherited = self.inherited and {key: self.inherited[key] for key in ("parent", "params", "params_dropped")}
        training = TrainingFacts(
            settings=settings.model_dump(mode="json"),
            steps=self._loop.step,
            seconds=self._loop.training.seconds,
            seed=settings.seed,
            val_loss=self._loop.val_loss,
            inherited=inherited,
            teacher=settings.teacher,
        )
        return self._drawing(deployed(self._unet), training)

    @cached_property
    def prompts(self) -> list[str]:
        """Of the pictures."""
        return shown_prompts(self._prepared.data)

    def draw(self, model: Model, name: str) -> None:
        """Write a picture of what the model draws, and tell of it."""
        at_once = max(1, min(AT_ONCE, self._ingredients.micro_batch // 2))  # guidance asks twice
        self._recorder.draw(model, self.prompts, self._loop.step, name, at_once)

    @property
    def _unet(self) -> UNet:
        """With averaged weights."""
        return cast(UNet, self._loop.training.network)

    def _look(self) -> None:
        """Validate and draw where it is time for that, unless an earlier run has."""
        loop, settings = self._loop, self._settings
        if not self._recorder.is_first:
            return
        if (loop.is_at_end or loop.is_due(settings.validate_every)) and loop.val_loss is None:
            loop.validated(finite(self._validation(self._unet), loop.step, "the validation loss"))
        if not loop.is_at_end and loop.is_due(settings.draw_every) and not loop.is_drawn:
            self.draw(self._drawing(self._unet, None), loop.picture)

    @cached_property
    def _validation(self) -> ValidationLoss:
        at_once = min(AT_ONCE, self._ingredients.micro_batch)
        return ValidationLoss(self._prepared, self._settings.part(DiffusionSettings), at_once)

    def _drawing(self, unet: UNet, training: TrainingFacts | None) -> Model:
        settings = self._settings
        return trained_model(
            self._recorder.folder.resolve().name,
            unet,
            self._prepared,
            settings.part(DiffusionSettings),
            data=settings.data,
            steps=settings.sampling_steps,
            guidance=settings.guidance,
            training=training,
        )

    def _start(self) -> Start:
        return Start(
            folder=self._recorder.folder,
            uid=self._recorder.uid,
            settings=self._settings,
            steps=self._settings.steps,
            architecture=self._ingredients.spec.id,
            params=sum(weight.numel() for weight in self._unet.parameters()),
            images_per_step=self._ingredients.images_per_step,
            prompt=self.prompts[0],
            curve=self._loop.curve(),
        )
