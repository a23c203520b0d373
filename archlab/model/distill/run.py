"""A distillation under way: phases, pictures, checkpoints."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from archlab.checkpoint import Checkpoint, below, now_and_then, prefixed
from archlab.diffusion.process import AT_ONCE
from archlab.encoders.prepare import Prepared
from archlab.model.distill.ingredients import DistillIngredients
from archlab.model.distill.plan import Phase
from archlab.model.distill.signs import signs
from archlab.model.facts import DistillationFacts
from archlab.model.model import Model
from archlab.model.train.curve import Point, write_curve
from archlab.model.train.deferred import deferred_interrupt
from archlab.model.train.pictures import draw_pictures, shown_prompts
from archlab.model.train.state import State
from archlab.model.train.watcher import Start, TrainingWatcher
from archlab.model.trained import deployed
from archlab.progress import tell
from archlab.training.learning_rate import learning_rate_at
from archlab.training.lessons.lesson import Lesson
from archlab.training.training import Training
from archlab.unet import UNet

_MOST_STEPS = 25  # between two looks at the losses, which a GPU gives when it has made all of them
_REAL = 1024  # images of the data with which drawn ones are compared


class DistillRun:
    """One run of a distillation, from a checkpoint or from the first phase to the end of the last.

    Args:
        uid: of the distillation.
        checkpoint: from which it goes on, if it was under way.
    """

    def __init__(
        self,
        given: DistillIngredients,
        prepared: Prepared,
        state: State,
        uid: str,
        checkpoint: Checkpoint | None,
        watchers: Sequence[TrainingWatcher],
    ) -> None:
        self._given, self._prepared, self._state, self._uid = given, prepared, state, uid
        self._settings, self._watchers = given.settings, watchers
        self._earlier: list[Point] = []  # of phases that are over
        self._index, self._before = 0, given.student()
        if checkpoint is not None:
            self._index = checkpoint.facts["phase"]
            self._earlier = [Point(*row) for row in checkpoint.facts["earlier"]]
            self._before.load_state_dict(below("before", checkpoint.tensors))
        self._training, self._lesson = self._begin()
        if checkpoint is not None:
            self._training.load_state(below("training", checkpoint.tensors))
        self._told = self._step

    def go(self) -> None:
        """Make the phases that are left.

        Raises:
            Diverged: a loss is infinite or NaN.
            KeyboardInterrupt: between two steps; the state is written.
        """
        tell(self._watchers, "training_started", self._start())
        save_now_and_then = now_and_then(self._save, self._settings.checkpoint_seconds)
        try:
            while True:
                tell(
                    self._watchers,
                    "notice",
                    f"phase {self._index + 1} of {len(self._given.phases)}: {self._phase.name}",
                )
                self._go_through(self._phase, save_now_and_then)
                if self._index == len(self._given.phases) - 1:
                    break
                self._before, self._earlier = cast(UNet, self._training.network), self._points()
                self._index += 1
                self._training, self._lesson = self._begin()
        except KeyboardInterrupt:
            self._save()
            raise
        self._save()

    def model(self) -> Model:
        """The student in the form that is deployed, with everything that draws from it, on the CPU."""
        given = self._given
        facts = DistillationFacts(
            method=self._settings.method,
            of=given.model.name,
            teacher=given.teacher.name,
            guidance=given.guidance,
            phases=tuple(phase.name for phase in given.phases),
            settings=self._settings.model_dump(mode="json"),
            steps=self._step,
            seconds=self._points()[-1].seconds,
        )
        return self._drawing(deployed(cast(UNet, self._training.network)), facts)

    @cached_property
    def prompts(self) -> list[str]:
        """Of the pictures."""
        return shown_prompts(self._prepared.data)

    def draw(self, model: Model, name: str) -> Path:
        """Write a picture of what the model draws in its own steps; tell of it, and of what is wrong with it."""
        path = self._state.model / "samples" / f"{name}.png"

        def report(share: float) -> None:
            tell(self._watchers, "drawing", share)

        drawn = draw_pictures(model, self.prompts, path, max(1, min(AT_ONCE, self._given.micro_batch)), report)
        tell(self._watchers, "drawn", self._step, path)
        for line in (
            *signs(drawn, self._prepared.data.images[self._prepared.data.train[:_REAL]]),
            *self._lesson.remarks(),
        ):
            tell(self._watchers, "notice", f"step {self._step:,}: {line}")
        return path

    @property
    def _phase(self) -> Phase:
        return self._given.phases[self._index]

    @property
    def _step(self) -> int:
        """Of all phases."""
        return len(self._earlier) + self._training.step

    def _begin(self) -> tuple[Training, Lesson[Any]]:
        return self._given.begin(self._index, self._before, self._prepared)

    def _go_through(self, phase: Phase, save_now_and_then: Callable[[], None]) -> None:
        """Make the steps of a phase, with Ctrl-C between two of them, and draw now and then, and where it ends."""

        def after_step() -> None:
            self._tell_steps()
            save_now_and_then()
            if came():
                raise KeyboardInterrupt

        while (step := self._training.step) < phase.updates:
            every = self._settings.draw_every
            until = min(phase.updates, step + every - step % every, step + _MOST_STEPS - step % _MOST_STEPS)
            with deferred_interrupt() as came:
                self._training.run(until, after_step)
            is_last = self._step == self._given.updates
            if not is_last and (until == phase.updates or until % every == 0):
                unet = cast(UNet, self._training.network)
                self.draw(self._drawing(unet, None), f"step-{self._step:06}")

    def _drawing(self, unet: UNet, facts: DistillationFacts | None) -> Model:
        name = self._state.model.resolve().name
        return self._given.drawing(name, unet, self._phase, self._prepared, facts)

    def _start(self) -> Start:
        return Start(
            folder=self._state.model,
            uid=self._uid,
            settings=self._settings,
            steps=self._given.updates,
            architecture=self._before.spec.id,
            params=sum(weight.numel() for weight in self._before.parameters()),
            images_per_step=self._settings.batch_size,
            prompt=self.prompts[0],
            curve=self._points(),
        )

    def _tell_steps(self) -> None:
        if points := self._points(self._told):
            self._told = points[-1].step
            tell(self._watchers, "stepped", points)

    def _points(self, after: int = 0) -> list[Point]:
        """Those of the curve after so many steps."""
        done = self._earlier[-1].seconds if self._earlier else 0.0
        offset, updates = len(self._earlier), self._phase.updates
        return self._earlier[after:] + [
            Point(offset + step, loss, None, learning_rate_at(step, updates, self._settings), done + seconds)
            for step, loss, seconds in self._training.curve[max(0, after - offset) :]
        ]

    def _save(self) -> None:
        tensors = {**prefixed("before", self._before.state_dict()), **prefixed("training", self._training.state())}
        facts = {"phase": self._index, "earlier": [list(point) for point in self._earlier]}
        self._state.write(self._step, self._uid, Checkpoint(tensors, facts), self._settings.keep)
        write_curve(self._state.model / "curve.csv", self._points())
