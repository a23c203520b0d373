"""The steps of a training that can be stopped and taken up: what everything that is trained of a model shares."""

from collections.abc import Callable, Sequence

from archlab.checkpoint import Checkpoint, below, now_and_then, prefixed
from archlab.model.settings import RunSettings
from archlab.model.train.curve import Point
from archlab.model.train.deferred import deferred_interrupt
from archlab.model.train.recorder import Recorder
from archlab.training.learning_rate import learning_rate_at
from archlab.training.training import Training

NOTHING = Checkpoint({}, {})
_MOST_STEPS = 25  # between two looks at the losses, which a GPU gives when it has made all of them


class StepLoop:
    """One run of a training, from a checkpoint or from its first step to its last.

    Between two steps it tells the watchers, writes a checkpoint when it is time, and hears Ctrl-C. Whoever trains looks
    at the averaged weights now and then: validates them, draws with them. Of several processes all make the steps.

    Args:
        training: before its first step.
        steps: that it takes in all; more than those that it was begun with are possible.
        earlier: the curve of the trainings that this one follows.
        kept: what else goes into its checkpoints; `kept_of` gives it back.
        checkpoint: from which it goes on, if it was under way.

    Attributes:
        training: with the averaged weights.
    """

    def __init__(
        self,
        training: Training,
        steps: int,
        settings: RunSettings,
        recorder: Recorder,
        *,
        earlier: Sequence[Point] = (),
        kept: Checkpoint = NOTHING,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.training = training
        self._steps, self._settings, self._recorder = steps, settings, recorder
        self._earlier, self._kept = tuple(earlier), kept
        self._val_losses: dict[int, float] = {}
        self._lengths = [(0, steps)]
        if checkpoint is not None:
            self._take_up(checkpoint)
        self._began_at = self._told = self.step
        self._save_now_and_then = now_and_then(self._save, settings.checkpoint_seconds)

    @property
    def step(self) -> int:
        """How many were made, the earlier trainings' among them."""
        return len(self._earlier) + self.training.step

    @property
    def is_at_end(self) -> bool:
        """Whether no step is left."""
        return self.training.step == self._steps

    @property
    def picture(self) -> str:
        """What a picture of the network as it is now is called."""
        return f"step-{self.step:06}"

    def go(self, look: Callable[[], None], every: Sequence[int]) -> None:
        """Make the steps that are left.

        Args:
            look: called before the first of them, after the last, and whenever `is_due`; what an earlier run has done
                is not to be done again.
            every: each number of steps after which it may be due.

        Raises:
            Diverged: the loss is infinite or NaN.
            KeyboardInterrupt: between two steps, or from ``look``; the state is written.
        """
        try:
            look()
            while not self.is_at_end:
                self._make_steps((*every, _MOST_STEPS))
                look()
        except KeyboardInterrupt:
            self._save()
            raise
        self._save()

    def is_due(self, every: int) -> bool:
        """Whether so many steps of this training were made, or twice as many, and so on."""
        return self.training.step > 0 and self.training.step % every == 0

    @property
    def is_drawn(self) -> bool:
        """Whether an earlier run has drawn the network as it is now."""
        return self.step == self._began_at and self._recorder.is_drawn(self.picture)

    @property
    def val_loss(self) -> float | None:
        """Of the averaged weights as they are now; None where it was not measured."""
        return self._val_losses.get(self.step)

    def validated(self, val_loss: float) -> None:
        """Note the validation loss of the averaged weights as they are now."""
        self._val_losses[self.step] = val_loss
        self._recorder.tell("validated", self.curve(self.step - 1)[0])

    def curve(self, after: int = 0) -> list[Point]:
        """A point for each step but the first so many."""
        first = len(self._earlier)
        before = self._earlier[-1].seconds if self._earlier else 0.0
        ours = [
            Point(
                first + step,
                loss,
                self._val_losses.get(first + step),
                learning_rate_at(step, self._length_at(step), self._settings),
                before + seconds,
            )
            for step, loss, seconds in self.training.curve[max(0, after - first) :]
        ]
        return [*self._earlier[after:], *ours]

    def _make_steps(self, every: Sequence[int]) -> None:
        """Make those until the next look, with Ctrl-C between two of them."""
        step = self.training.step
        until = min(self._steps, *(step + each - step % each for each in every))

        def after_step() -> None:
            self._tell_steps()
            if self._recorder.is_first:
                self._save_now_and_then()
            if came():
                raise KeyboardInterrupt

        with deferred_interrupt() as came:
            self.training.run(until, after_step)
        self._tell_steps()

    def _tell_steps(self) -> None:
        if points := self.curve(self._told):
            self._told = points[-1].step
            self._recorder.tell("stepped", points)

    def _length_at(self, step: int) -> int:
        """How many steps the training was to have when it made this one: the learning rate depends on it."""
        return next(steps for first, steps in reversed(self._lengths) if step > first)

    def _take_up(self, checkpoint: Checkpoint) -> None:
        self.training.load_state(below("training", checkpoint.tensors))
        self._val_losses = {int(step): loss for step, loss in checkpoint.facts["val_losses"]}
        self._lengths = [(first, steps) for first, steps in checkpoint.facts["lengths"]]
        if self._lengths[-1][1] != self._steps:
            self._lengths.append((self.training.step, self._steps))

    def _save(self) -> None:
        if not self._recorder.is_first:
            return
        tensors = {**prefixed("training", self.training.state()), **prefixed("kept", self._kept.tensors)}
        facts = {
            "val_losses": list(self._val_losses.items()),
            "lengths": self._lengths,
            "earlier": [list(point) for point in self._earlier],
            "kept": self._kept.facts,
        }
        self._recorder.save(Checkpoint(tensors, facts), self.curve(), self._settings.keep)


def kept_of(checkpoint: Checkpoint) -> Checkpoint:
    """What whoever trained had put into a checkpoint."""
    return Checkpoint(below("kept", checkpoint.tensors), checkpoint.facts["kept"])


def earlier_of(checkpoint: Checkpoint) -> list[Point]:
    """The curve of the trainings before the one that was under way."""
    return [Point(*row) for row in checkpoint.facts["earlier"]]
