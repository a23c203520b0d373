"""A distillation under way: phase after phase, and the student that it leaves."""

from functools import cached_property
from typing import cast, get_args

from archlab.checkpoint import Checkpoint
from archlab.diffusion.process import AT_ONCE
from archlab.encoders.prepare import Prepared
from archlab.model.distill.ingredients import DistillIngredients
from archlab.model.distill.plan import Phase
from archlab.model.distill.settings import Method
from archlab.model.distill.signs import signs
from archlab.model.facts import DistillationFacts
from archlab.model.model import Model
from archlab.model.train.curve import Point
from archlab.model.train.loop import StepLoop, earlier_of, kept_of
from archlab.model.train.pictures import shown_prompts
from archlab.model.train.recorder import Recorder
from archlab.model.train.watcher import Start
from archlab.model.trained import deployed
from archlab.unet import UNet

_REAL = 1024  # images of the data with which drawn ones are compared


class DistillRun:
    """One run of a distillation, from a checkpoint or from the first phase to the end of the last.

    Of several processes all make the steps, and the first one does the rest.

    Args:
        checkpoint: from which it goes on, if it was under way.
    """

    def __init__(
        self, given: DistillIngredients, prepared: Prepared, recorder: Recorder, checkpoint: Checkpoint | None
    ) -> None:
        self._given, self._prepared = given, prepared
        self._settings, self._recorder = given.settings, recorder
        before, earlier, index = given.student(), [], 0
        if checkpoint is not None:
            kept = kept_of(checkpoint)
            index, earlier = kept.facts["phase"], earlier_of(checkpoint)
            before.load_state_dict(kept.tensors)
        self._begin(index, before, earlier, checkpoint)

    def go(self) -> None:
        """Make the phases that are left.

        Raises:
            Diverged: a loss is infinite or NaN.
            KeyboardInterrupt: between two steps; the state is written.
        """
        phases = self._given.phases
        self._recorder.tell("training_started", self._start())
        while True:
            self._recorder.tell("notice", f"phase {self._index + 1} of {len(phases)}: {self._phase.name}")
            self._loop.go(self._look, (self._settings.draw_every,))
            if self._is_last:
                break
            self._begin(self._index + 1, self._unet, self._loop.curve(), None)

    def model(self) -> Model:
        """The student in the form that is deployed, with everything that draws from it, on the CPU."""
        given = self._given
        facts = DistillationFacts(
            method=self._settings.method,
            of=given.model.name,
            teacher=given.teacher.name,
            guidance=given.guidance,
            phases=tuple(phase.name for phase in given.phases),
            settings=self._settings.model_dump(mode="json", exclude={*get_args(Method)} - {self._settings.method}),
            steps=self._loop.step,
            seconds=self._loop.curve()[-1].seconds,
        )
        return self._drawing(deployed(self._unet), facts)

    @cached_property
    def prompts(self) -> list[str]:
        """Of the pictures."""
        return shown_prompts(self._prepared.data)

    def draw(self, model: Model, name: str) -> None:
        """Write a picture of what the model draws in its own steps; tell of it, and of what is wrong with it."""
        step, at_once = self._loop.step, max(1, min(AT_ONCE, self._given.micro_batch))
        drawn = self._recorder.draw(model, self.prompts, step, name, at_once)
        real = self._prepared.data.images[self._prepared.data.train[:_REAL]]
        for line in (*signs(drawn, real), *self._lesson.remarks()):
            self._recorder.tell("notice", f"step {step:,}: {line}")

    @property
    def _phase(self) -> Phase:
        return self._given.phases[self._index]

    @property
    def _is_last(self) -> bool:
        return self._index == len(self._given.phases) - 1

    @property
    def _unet(self) -> UNet:
        """With averaged weights."""
        return cast(UNet, self._loop.training.network)

    def _begin(self, index: int, before: UNet, earlier: list[Point], checkpoint: Checkpoint | None) -> None:
        """Begin a phase, or go on with it.

        Args:
            before: the network with which it begins.
        """
        self._index = index
        training, self._lesson = self._given.begin(index, before, self._prepared)
        self._loop = StepLoop(
            training,
            self._phase.updates,
            self._given.settings_of(self._phase),
            self._recorder,
            earlier=earlier,
            kept=Checkpoint(before.state_dict(), {"phase": index}),
            checkpoint=checkpoint,
        )

    def _look(self) -> None:
        """Draw now and then, and where a phase ends, unless an earlier run has."""
        if not self._recorder.is_first:
            return
        loop = self._loop
        is_due = loop.is_at_end or loop.is_due(self._settings.draw_every)
        if is_due and not (loop.is_at_end and self._is_last) and not loop.is_drawn:
            self.draw(self._drawing(self._unet, None), loop.picture)

    def _drawing(self, unet: UNet, facts: DistillationFacts | None) -> Model:
        name = self._recorder.folder.resolve().name
        return self._given.drawing(name, unet, self._phase, self._prepared, facts)

    def _start(self) -> Start:
        return Start(
            folder=self._recorder.folder,
            uid=self._recorder.uid,
            settings=self._settings,
            steps=self._given.updates,
            architecture=self._unet.spec.id,
            params=sum(weight.numel() for weight in self._unet.parameters()),
            images_per_step=self._given.images_per_step,
            prompt=self.prompts[0],
            curve=self._loop.curve(),
        )
