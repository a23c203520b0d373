"""What a distillation is made of: the model, its teacher, data, and a training for each phase."""

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

import archlab
from archlab.cache import content_hash
from archlab.data.load import load_data
from archlab.diffusion.configured import configured_process
from archlab.diffusion.process import Process
from archlab.diffusion.sample import largest_latent
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared, encode_data
from archlab.errors import BadInput
from archlab.model.distill.plan import Beginning, Phase, plan
from archlab.model.distill.settings import DistillSettings
from archlab.model.facts import DistillationFacts
from archlab.model.load import load_model
from archlab.model.model import Model
from archlab.model.schedulers import few_step_scheduler, scheduler_for
from archlab.model.train.teacher import Teacher
from archlab.progress import Progress, silent
from archlab.training.device import training_device
from archlab.training.examples import Examples
from archlab.training.lessons import LESSONS
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.processes import Processes
from archlab.training.settings import TrainingSettings
from archlab.training.training import Training
from archlab.unet import UNet, inherit

_GUIDANCE_DIM = 256  # of the embedding of the guidance, as latent consistency models have it


@dataclass(frozen=True, eq=False)
class DistillIngredients:
    """A model to be distilled, and whom it learns from.

    Attributes:
        model: whose weights the student begins with.
        teacher: it, or another one.
        data: a source that `archlab.data.load.load_data` reads.
    """

    settings: DistillSettings
    model: Model
    teacher: Model
    data: str
    device: torch.device
    processes: Processes

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """What is done."""
        teacher = self.teacher if self.teacher is not self.model else None
        beginning = Beginning(
            predicts_noise=_diffusion(self.model).objective == "epsilon",
            is_folded=_is_folded(self.model),
            steps=_own_steps(self.model),
            teacher_steps=None if teacher is None else _own_steps(teacher),
        )
        return plan(self.settings, beginning, self.guidance)

    @property
    def updates(self) -> int:
        """Steps of the optimiser in all."""
        return sum(phase.updates for phase in self.phases)

    @property
    def guidance(self) -> float:
        """The teacher's, which is folded in."""
        given = self.settings.guidance
        return self.teacher.facts.guidance if given is None else given

    @cached_property
    def diffusion(self) -> DiffusionSettings:
        """What the student predicts."""
        known = _diffusion(self.model)
        return DiffusionSettings(objective=_for_few_steps(known.objective), schedule=known.schedule)

    @cached_property
    def process(self) -> Process:
        """Of the student."""
        return configured_process(self.diffusion, self.model.spec.sample_size)

    @property
    def ids(self) -> dict[str, str]:
        """Content hashes of what a distillation goes on with or not at all."""
        return {
            "encoders_id": content_hash(self.model.codec.id, self.model.text.id),
            "teacher_id": content_hash(Teacher(self.model).id, Teacher(self.teacher).id),
        }

    def prepared(self, progress: Progress = silent) -> Prepared:
        """The data, encoded by the model's own encoders."""
        data = load_data(self.data, self.model.facts.image_size, progress)
        return encode_data(data, self.model.codec, self.model.text, progress)

    def student(self) -> UNet:
        """The network that the first phase begins with."""
        if self.settings.most_guidance is None or self.model.spec.guidance_dim is not None:
            return copy.deepcopy(self.model.unet)
        return inherit(self.model.unet, replace(self.model.spec, guidance_dim=_GUIDANCE_DIM))

    def begin(self, index: int, before: UNet, prepared: Prepared) -> tuple[Training, Lesson[Any]]:
        """The training of a phase before its first step, and its lesson.

        Args:
            before: what the phase before has made; the first one's is `student`.
        """
        phase, settings = self.phases[index], self.settings
        network = copy.deepcopy(before).to(self.device)
        network.checkpointing = settings.checkpointing
        teacher, process = self._teacher_of(phase, before)
        materials = Materials(
            network=network,
            examples=Examples(prepared, self.process, settings.batch_size, settings.prompt_dropout, self.processes),
            settings=phase.settings,
            seed=settings.seed + index,
            teacher=teacher,
            teacher_process=process,
            few_step_teacher=before,
        )
        lesson = LESSONS[phase.lesson](materials)
        training = Training(
            network,
            lesson,
            self.settings_of(phase).part(TrainingSettings),
            steps=phase.updates,
            seed=settings.seed + index,
            micro_batch=self.micro_batch,
            processes=self.processes,
        )
        return training, lesson

    def settings_of(self, phase: Phase) -> DistillSettings:
        """The settings, with the phase's own learning rate."""
        return self.settings.model_copy(update={"learning_rate": phase.learning_rate})

    @property
    def images_per_step(self) -> int:
        """Of all processes together."""
        return self.settings.batch_size * self.processes.count

    @property
    def micro_batch(self) -> int:
        """Images in memory at once."""
        return min(self.settings.micro_batch or self.settings.batch_size, self.settings.batch_size)

    def drawing(
        self, name: str, unet: UNet, phase: Phase, prepared: Prepared, facts: DistillationFacts | None
    ) -> Model:
        """The network after this phase, with everything that draws from it."""
        side = unet.spec.sample_size
        if phase.steps is None:
            scheduler = scheduler_for(self.diffusion, side, largest_latent(prepared))
        else:
            adds_noise = phase.lesson != "progressive"
            scheduler = few_step_scheduler(self.diffusion, side, phase.steps, adds_noise=adds_noise)
        return Model(
            unet=unet,
            scheduler=scheduler,
            codec=self.model.codec,
            text=self.model.text,
            facts=replace(
                self.model.facts,
                name=name,
                architecture=unet.spec.id,
                diffusion=self.diffusion,
                steps=phase.steps or self.model.facts.steps,
                guidance=1.0 if unet.spec.guidance_dim is None else self.guidance,
                data=self.data,
                data_id=prepared.data.id,
                training=None,
                distillation=facts,
                archlab=archlab.__version__,
            ),
        )

    def _teacher_of(self, phase: Phase, before: UNet) -> tuple[UNet, Process]:
        """The network that teaches a phase, and what it predicts: that of the phase before, unless the teacher does.

        A teacher that draws in few steps teaches the halving of its own; the model itself then folds guidance in.
        """
        steps = None if self.teacher is self.model else _own_steps(self.teacher)
        if phase.lesson == "guidance":
            source = self.teacher if steps is None else self.model
        elif phase.lesson in ("dmd2", "ufogen") or (
            steps is not None and phase.steps is not None and steps == 2 * phase.steps
        ):
            source = self.teacher
        else:
            return before, self.process
        return source.unet, configured_process(_diffusion(source), source.spec.sample_size)


def gather(name: str, settings: DistillSettings, processes: Processes) -> DistillIngredients:
    """The model and its teacher.

    Raises:
        BadInput: there is none, they do not fit each other, or what the model was trained on is not known.
    """
    device, model = training_device(settings, settings), load_model(name)
    teacher = model if settings.teacher is None else load_model(settings.teacher)
    data = settings.data or model.facts.data
    if data is None:
        raise BadInput(f"{name}: what it was trained on is not known; give --data")
    given = DistillIngredients(settings, model, teacher, data, device, processes)
    _check(given, name)
    given.phases  # noqa: B018  # whether it can be done at all
    return given


def _check(given: DistillIngredients, name: str) -> None:
    model, teacher, settings = given.model, given.teacher, given.settings
    if teacher is not model:
        ours, theirs = _asked(model), _asked(teacher)
        if ours != theirs:
            raise BadInput(f"teacher: {settings.teacher} works on {theirs}, and {name} on {ours}")
        if _for_few_steps(_diffusion(teacher).objective) != given.diffusion.objective:
            raise BadInput(f"teacher: {settings.teacher} goes another path from noise to images than {name}")
    if settings.method != "progressive" and settings.steps > 1 and given.diffusion.objective == "flow":
        raise BadInput(
            f"steps: {settings.method} on the straight path of flow draws in 1 step only: no scheduler that diffusers' "
            "pipelines take adds noise there between two steps"
        )
    if settings.method == "dmd2" and _own_steps(teacher) is not None:
        raise BadInput(
            f"dmd2: {settings.teacher or name} draws in {teacher.facts.steps} steps and knows nothing of any other "
            "amount of noise; give the model that it was distilled from as --teacher"
        )
    draws_already = _own_steps(model) == settings.steps or any(phase.lesson == "progressive" for phase in given.phases)
    if settings.dmd2.imitation is not None and not draws_already:
        raise BadInput(f"dmd2.imitation: nothing draws in {settings.steps} steps yet; leave from_steps out")


def _asked(model: Model) -> str:
    spec = model.spec
    side = spec.sample_size
    return f"latents {spec.in_channels}×{side}×{side} and contexts {spec.context_length}×{spec.context_dim}"


def _diffusion(model: Model) -> DiffusionSettings:
    if model.facts.diffusion is None:
        raise BadInput(f"{model.name}: its scheduler has no noise schedule that archlab can train with")
    return model.facts.diffusion


def _for_few_steps(objective: str) -> str:
    """A network of the noise cannot draw in few steps: at the noisiest time σ / α multiplies its error."""
    return "v" if objective == "epsilon" else objective


def _is_folded(model: Model) -> bool:
    return model.passes(1) == 1


def _own_steps(model: Model) -> int | None:
    """In how many steps it draws and in no others."""
    return None if model.facts.distillation is None else model.facts.steps
