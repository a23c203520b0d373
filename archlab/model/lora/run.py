"""A LoRA's training under way: what is done between its steps, and what it leaves."""

from functools import cached_property

import archlab
from archlab.checkpoint import Checkpoint
from archlab.diffusion.process import AT_ONCE
from archlab.encoders.prepare import Prepared
from archlab.model.lora.card import write_card
from archlab.model.lora.settings import LoraSettings
from archlab.model.model import Model
from archlab.model.train.loop import StepLoop
from archlab.model.train.pictures import shown_prompts
from archlab.model.train.recorder import Recorder
from archlab.model.train.watcher import Start
from archlab.scores.validation import ValidationLoss
from archlab.training.training import Training, finite
from archlab.unet.lora.adapter import factors_of
from archlab.unet.lora.facts import LoraFacts
from archlab.unet.lora.files import WEIGHTS_FILE, write_lora
from archlab.unet.lora.lora import Lora

_FEW_STEPS = 4  # fewer are too few to learn by denoising: see docs/lora.md
WITHOUT = "without"  # the picture of what the model draws without the LoRA


class LoraRun:
    """One run of a LoRA's training, from a checkpoint or from the first step to the last.

    Args:
        training: before its first step.
        checkpoint: from which it goes on, if it was under way.
    """

    def __init__(
        self,
        model: Model,
        settings: LoraSettings,
        prepared: Prepared,
        training: Training,
        recorder: Recorder,
        checkpoint: Checkpoint | None,
    ) -> None:
        self._model, self._settings, self._prepared = model, settings, prepared
        self._recorder = recorder
        self._loop = StepLoop(training, settings.steps, settings, recorder, checkpoint=checkpoint)

    def go(self) -> None:
        """Make the steps that are left.

        Raises:
            Diverged: the loss is infinite or NaN.
            KeyboardInterrupt: between two steps; the state is written.
        """
        self._recorder.tell("training_started", self._start())
        facts = self._model.facts
        if facts.distillation is not None and facts.steps < _FEW_STEPS:
            self._recorder.tell(
                "notice",
                f"{facts.name} draws in {facts.steps} step{'s' if facts.steps > 1 else ''}; by its loss a LoRA of that "
                "draws a mean of many images. Train it on the student of 8 steps, and use it here",
            )
        self._loop.go(self._look, (self._settings.validate_every, self._settings.draw_every))

    def finish(self) -> None:
        """Draw, write the card, and the weights, which make the folder a LoRA, last."""
        lora, folder = self._lora(), self._recorder.folder
        self._draw(self._model.with_loras([(lora, 1.0)]), "final")
        write_card(lora, folder, self._prompts[0])
        write_lora(lora, folder / WEIGHTS_FILE, self._model.spec)

    @cached_property
    def _prompts(self) -> list[str]:
        return shown_prompts(self._prepared.data)

    def _look(self) -> None:
        """Validate and draw where it is time for that, unless an earlier run has."""
        loop, settings = self._loop, self._settings
        if loop.step == 0 and not self._recorder.is_drawn(WITHOUT):
            self._draw(self._model, WITHOUT)
        if (loop.is_at_end or loop.is_due(settings.validate_every)) and loop.val_loss is None:
            loop.validated(finite(self._validation(loop.training.network), loop.step, "the validation loss"))
        if not loop.is_at_end and loop.is_due(settings.draw_every) and not loop.is_drawn:
            self._draw(self._model.with_loras([(self._lora(), 1.0)]), loop.picture)

    @cached_property
    def _validation(self) -> ValidationLoss:
        assert self._model.facts.diffusion is not None
        at_once = min(AT_ONCE, self._settings.micro_batch or self._settings.batch_size)
        return ValidationLoss(self._prepared, self._model.facts.diffusion, at_once)

    def _draw(self, model: Model, name: str) -> None:
        at_once = max(1, min(AT_ONCE, self._settings.batch_size // 2))  # guidance asks twice
        self._recorder.draw(model, self._prompts, self._loop.step, name, at_once)

    def _lora(self) -> Lora:
        """With averaged weights."""
        settings, loop = self._settings, self._loop
        facts = LoraFacts(
            base=self._model.name,
            spec=self._model.spec.to_dict(),
            alpha=settings.given_alpha,
            data=settings.data,
            data_id=self._prepared.data.id,
            settings=settings.model_dump(mode="json"),
            steps=loop.step,
            seconds=loop.training.seconds,
            val_loss=loop.val_loss,
            archlab=archlab.__version__,
        )
        return Lora(self._recorder.folder.resolve().name, factors_of(loop.training.network), facts)

    def _start(self) -> Start:
        network = self._loop.training.network
        return Start(
            folder=self._recorder.folder,
            uid=self._recorder.uid,
            settings=self._settings,
            steps=self._settings.steps,
            architecture=self._model.spec.id,
            params=sum(weight.numel() for weight in network.parameters() if weight.requires_grad),
            images_per_step=self._settings.batch_size,
            prompt=self._prompts[0],
            curve=self._loop.curve(),
        )
