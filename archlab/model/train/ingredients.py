"""What a model's training is made of: data, encoders, the network to begin with, a teacher."""

from dataclasses import dataclass
from typing import Any

import torch

from archlab.architecture import UNetSpec
from archlab.cache import content_hash
from archlab.data.settings import DataSettings
from archlab.diffusion.configured import configured_process
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.fit import fitted
from archlab.encoders.prepare import DataWithEncoders, Prepared, data_with_encoders, prepare
from archlab.encoders.settings import EncoderSettings
from archlab.model.settings import ModelSettings
from archlab.model.train.teacher import Teacher
from archlab.progress import Progress
from archlab.proxy.inherited import heir
from archlab.training.device import training_device
from archlab.training.examples import Examples
from archlab.training.lessons import LESSONS
from archlab.training.lessons.lesson import Materials
from archlab.training.processes import Processes
from archlab.training.settings import LessonSettings, TrainingSettings
from archlab.training.training import Training
from archlab.unet import UNet
from archlab.unet.untrained import untrained


@dataclass(frozen=True, eq=False)
class Ingredients:
    """A training's data and architecture; nothing is encoded yet.

    Attributes:
        spec: the network that learns, fitted to the encoders.
        device: where it is trained.
    """

    settings: ModelSettings
    spec: UNetSpec
    given: DataWithEncoders
    device: torch.device
    processes: Processes

    @property
    def encoders_id(self) -> str:
        """Content hash of both encoders."""
        return content_hash(self.given.codec.id, self.given.text.id)

    @property
    def images_per_step(self) -> int:
        """Of all processes together."""
        return self.settings.batch_size * self.processes.count

    @property
    def micro_batch(self) -> int:
        """Images in memory at once."""
        return min(self.settings.micro_batch or self.settings.batch_size, self.settings.batch_size)

    def prepared(self, progress: Progress) -> Prepared:
        """The data, encoded; see `archlab.encoders.prepare.prepare`."""
        data, encoders = self.settings.part(DataSettings), self.settings.part(EncoderSettings)
        return prepare(data, encoders, self.spec.sample_size, self.settings, progress, full_context=True)

    def begin(self, prepared: Prepared, teacher: Teacher | None, start: UNet | None) -> Training:
        """The training before its first step.

        Args:
            start: the network to begin with; absent: random weights.
        """
        settings = self.settings
        network = untrained(self.spec, settings.seed) if start is None else start
        network.to(self.device).checkpointing = settings.checkpointing
        lesson = LessonSettings() if teacher is None else settings.part(LessonSettings)
        materials = Materials(
            network=network,
            examples=self.examples(prepared),
            seed=settings.seed,
            settings=lesson,
            teacher=None if teacher is None else teacher.unet,
        )
        return Training(
            network,
            LESSONS[lesson.lesson](materials),
            settings.part(TrainingSettings),
            steps=settings.steps,
            seed=settings.seed,
            micro_batch=self.micro_batch,
            processes=self.processes,
        )

    def heir(self, prepared: Prepared, teacher: Teacher) -> tuple[UNet, dict[str, Any]]:
        """The network with the teacher's weights, as far as it can take them over, and the record of it."""
        start = heir(teacher.unet, self.spec, self.examples(prepared), self.settings.seed)
        assert start.inheritance is not None
        return start, start.inheritance.to_dict()

    def examples(self, prepared: Prepared) -> Examples:
        """What the network learns from."""
        process = configured_process(self.settings.part(DiffusionSettings), prepared.sample_size)
        return Examples(
            prepared, process, self.settings.batch_size, self.settings.prompt_dropout, processes=self.processes
        )


def gather(spec: UNetSpec, settings: ModelSettings, processes: Processes) -> Ingredients:
    """The data set and the network that it asks for.

    Args:
        spec: the architecture, not yet scaled.

    Raises:
        BadInput: there is no such data, encoder or device, or they do not fit each other.
    """
    device = training_device(settings, settings)
    sample_size = settings.scale.sample_size or spec.sample_size
    data, encoders = settings.part(DataSettings), settings.part(EncoderSettings)
    given = data_with_encoders(data, encoders, sample_size, settings, full_context=True)
    network = fitted(spec, given.codec, given.text, width=settings.scale.width, sample_size=sample_size)
    return Ingredients(settings, network, given, device, processes)
