"""A training under way: steps, validation, pictures, checkpoints."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from archlab.checkpoint import Checkpoint, now_and_then
from archlab.diffusion.process import AT_ONCE
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.model.facts import TrainingFacts
from archlab.model.model import Model
from archlab.model.train.curve import Point, write_curve
from archlab.model.train.deferred import deferred_interrupt
from archlab.model.train.ingredients import Ingredients
from archlab.model.train.pictures import draw_pictures, shown_prompts
from archlab.model.train.state import State
from archlab.model.train.watcher import Start, TrainingWatcher
from archlab.model.trained import deployed, trained_model
from archlab.progress import tell
from archlab.scores.validation import ValidationLoss
from archlab.training.learning_rate import learning_rate_at
from archlab.training.training import Training, finite
from archlab.unet import UNet

_MOST_STEPS = 25  # between two looks at the losses, which a GPU gives when it has made all of them


class TrainingRun:
    """One run of a training, from a checkpoint or from the first step to the last.

    Of several processes all make the steps, and the first one does the rest.

    Args:
        training: before its first step.
        uid: of the training.
        checkpoint: from which it goes on, if it was under way.
        inherited: what the network began with, of a training that begins.
    """

    def __init__(
        self,
        ingredients: Ingredients,
        prepared: Prepared,
        training: Training,
        state: State,
        uid: str,
        checkpoint: Checkpoint | None,
        inherited: dict[str, Any] | None,
        watchers: Sequence[TrainingWatcher],
    ) -> None:
        self._ingredients, self._prepared, self._training = ingredients, prepared, training
        self._state, self._uid, self._watchers = state, uid, watchers
        self._settings, self._is_first = ingredients.settings, ingredients.processes.is_first
        self._val_losses: dict[int, float] = {}
        self._inherited, self._lengths = inherited, [(0, self._settings.steps)]
        if checkpoint is not None:
            training.load_state(checkpoint.tensors)
            self._val_losses = {int(step): loss for step, loss in checkpoint.facts["val_losses"]}
            self._inherited = checkpoint.facts["inherited"]
            self._lengths = [(first, steps) for first, steps in checkpoint.facts["lengths"]]
            if self._lengths[-1][1] != self._settings.steps:
                self._lengths.append((training.step, self._settings.steps))
        self._began_at = self._told = training.step
        self._save_now_and_then = now_and_then(self._save, self._settings.checkpoint_seconds)

    @property
    def _step(self) -> int:
        return self._training.step

    def go(self) -> None:
        """Make the steps that are left.

        Raises:
            Diverged: the loss is infinite or NaN.
            KeyboardInterrupt: between two steps; the state is written.
        """
        tell(self._watchers, "training_started", self._start())
        try:
            self._look()
            while self._step < self._settings.steps:
                self._run()
                self._look()
        except KeyboardInterrupt:
            self._save()
            raise
        self._save()

    def model(self) -> Model:
        """The averaged weights in the form that is deployed, with everything that draws from them, on the CPU."""
        settings = self._settings
        inherited = self._inherited and {key: self._inherited[key] for key in ("parent", "params", "params_dropped")}
        training = TrainingFacts(
            settings=settings.model_dump(mode="json"),
            steps=self._step,
            seconds=self._training.seconds,
            seed=settings.seed,
            val_loss=self._val_losses.get(self._step),
            inherited=inherited,
            teacher=settings.teacher,
        )
        return self._drawing(deployed(cast(UNet, self._training.network)), training)

    @property
    def inherited(self) -> dict[str, Any] | None:
        """What the network began with, layer by layer."""
        return self._inherited

    @cached_property
    def prompts(self) -> list[str]:
        """Of the pictures."""
        return shown_prompts(self._prepared.data)

    def points(self) -> list[Point]:
        """The whole curve."""
        return self._points(0)

    def draw(self, model: Model, name: str) -> Path:
        """Write a picture of what the model draws, and tell of it."""
        path = self._state.model / "samples" / f"{name}.png"
        at_once = max(1, min(AT_ONCE, self._ingredients.micro_batch // 2))  # guidance asks twice

        def report(share: float) -> None:
            tell(self._watchers, "drawing", share)

        draw_pictures(model, self.prompts, path, at_once, report)
        tell(self._watchers, "drawn", self._step, path)
        return path

    def _run(self) -> None:
        """Make steps until the next look, with Ctrl-C between two of them."""
        every = (self._settings.validate_every, self._settings.draw_every, _MOST_STEPS)
        until = min(self._settings.steps, *(self._step + each - self._step % each for each in every))

        def after_step() -> None:
            self._tell_steps()
            if self._is_first:
                self._save_now_and_then()
            if came():
                raise KeyboardInterrupt

        with deferred_interrupt() as came:
            self._training.run(until, after_step)

    def _look(self) -> None:
        """Validate and draw where it is time for that, unless an earlier run has."""
        step, settings = self._step, self._settings
        self._tell_steps()
        if not (self._is_first and step):
            return
        is_last = step == settings.steps
        if (is_last or step % settings.validate_every == 0) and step not in self._val_losses:
            self._val_losses[step] = finite(self._validation(self._training.network), step, "the validation loss")
            tell(self._watchers, "validated", self._points(step - 1)[0])
        name = f"step-{step:06}"
        if not is_last and step % settings.draw_every == 0 and not (step == self._began_at and self._is_drawn(name)):
            self.draw(self._drawing(cast(UNet, self._training.network), None), name)

    def _is_drawn(self, name: str) -> bool:
        return (self._state.model / "samples" / f"{name}.png").is_file()

    @cached_property
    def _validation(self) -> ValidationLoss:
        at_once = min(AT_ONCE, self._ingredients.micro_batch)
        return ValidationLoss(self._prepared, self._settings.part(DiffusionSettings), at_once)

    def _drawing(self, unet: UNet, training: TrainingFacts | None) -> Model:
        settings = self._settings
        return trained_model(
            self._state.model.resolve().name,
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
            folder=self._state.model,
            uid=self._uid,
            settings=self._settings,
            steps=self._settings.steps,
            architecture=self._ingredients.spec.id,
            params=sum(weight.numel() for weight in self._training.network.parameters()),
            images_per_step=self._ingredients.images_per_step,
            prompt=self.prompts[0],
            curve=self.points(),
        )

    def _tell_steps(self) -> None:
        if points := self._points(self._told):
            self._told = points[-1].step
            tell(self._watchers, "stepped", points)

    def _points(self, after: int) -> list[Point]:
        """Those of the curve after so many steps."""
        return [
            Point(row.step, row.loss, self._val_losses.get(row.step), self._learning_rate(row.step), row.seconds)
            for row in self._training.curve[after:]
        ]

    def _learning_rate(self, step: int) -> float:
        """That of a step, which the training's length at that time decides."""
        steps = next(steps for first, steps in reversed(self._lengths) if step > first)
        return learning_rate_at(step, steps, self._settings)

    def _save(self) -> None:
        if not self._is_first:
            return
        facts = {"val_losses": list(self._val_losses.items()), "inherited": self._inherited, "lengths": self._lengths}
        self._state.write(self._step, self._uid, Checkpoint(self._training.state(), facts), self._settings.keep)
        write_curve(self._state.model / "curve.csv", self.points())
