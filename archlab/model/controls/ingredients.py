"""What a control's training is made of: a model that stays as it is, its data, pictures beside them."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from archlab.architecture import UNetSpec
from archlab.cache import content_hash
from archlab.data.conditions import Conditions, conditions_of
from archlab.data.load import load_data
from archlab.diffusion.configured import configured_process
from archlab.diffusion.process import Process, spread_times
from archlab.encoders.prepare import Prepared, encode_data
from archlab.errors import BadInput
from archlab.model.controls.load import picture_factor
from archlab.model.controls.settings import ControlSettings
from archlab.model.load import load_model
from archlab.model.model import Model
from archlab.model.train.teacher import Teacher
from archlab.progress import Progress, silent
from archlab.training.device import training_device
from archlab.training.examples import Examples
from archlab.training.lessons.control import Controlling, Times, mostly_late_times, only
from archlab.training.settings import TrainingSettings
from archlab.training.training import Training
from archlab.unet.adapter import Adapter
from archlab.unet.controlled import ControlNetwork
from archlab.unet.controlnet import controlnet_of


@dataclass(frozen=True, eq=False)
class ControlIngredients:
    """A model, and what its control learns from.

    Attributes:
        data: a source that `archlab.data.load.load_data` reads.
        factor: side of a picture by that of a latent.
    """

    settings: ControlSettings
    model: Model
    data: str
    factor: int
    device: torch.device

    @property
    def ids(self) -> dict[str, str]:
        """Content hashes of what a training goes on with or not at all."""
        return {
            "encoders_id": content_hash(self.model.codec.id, self.model.text.id),
            "teacher_id": Teacher(self.model).id,
        }

    @property
    def micro_batch(self) -> int:
        """Images in memory at once."""
        return min(self.settings.micro_batch or self.settings.batch_size, self.settings.batch_size)

    def prepared(self, progress: Progress = silent) -> Prepared:
        """The data, encoded by the model's own encoders."""
        data = load_data(self.data, self.model.facts.image_size, progress)
        return encode_data(data, self.model.codec, self.model.text, progress)

    def conditions(self, prepared: Prepared) -> Conditions:
        """A picture of each image."""
        return conditions_of(prepared.data, self.settings.condition, self.settings.edge_sigma)

    def begin(self, prepared: Prepared) -> Training:
        """The training before its first step."""
        settings = self.settings
        network = self._network().to(self.device)
        if not isinstance(network, Adapter):
            network.checkpointing = settings.checkpointing
        lesson = Controlling(
            network=network,
            unet=self.model.unet.to(self.device).eval().requires_grad_(False),
            examples=Examples(prepared, self._process, settings.batch_size, settings.prompt_dropout),
            conditions=self.conditions(prepared),
            times=self._times,
            guidance=self.model.facts.guidance,
        )
        return Training(
            network,
            lesson,
            settings.part(TrainingSettings),
            steps=settings.steps,
            seed=settings.seed,
            micro_batch=self.micro_batch,
        )

    def _network(self) -> ControlNetwork:
        spec: UNetSpec = self.model.spec
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.settings.seed)
            if self.settings.kind == "adapter":
                return Adapter(spec, self.factor)
            return controlnet_of(self.model.unet, self.factor)

    @cached_property
    def _process(self) -> Process:
        diffusion = self.model.facts.diffusion
        assert diffusion is not None  # see `gather`
        return configured_process(diffusion, self.model.spec.sample_size)

    @cached_property
    def _times(self) -> Times:
        """A model of few steps is asked at its own times alone: of others it knows nothing."""
        if self.model.facts.distillation is not None:
            return only(_own_times(self.model, self._process))
        return mostly_late_times if self.settings.kind == "adapter" else spread_times


def gather(name: str, settings: ControlSettings) -> ControlIngredients:
    """The model and what is known of it.

    Raises:
        BadInput: there is none, what it was trained on is not known, or there is no control for it.
    """
    device, model = training_device(settings, settings), load_model(name)
    data = settings.data or model.facts.data
    if data is None:
        raise BadInput(f"{name}: what it was trained on is not known; give --data")
    if model.facts.diffusion is None:
        raise BadInput(f"{name}: its scheduler has no noise schedule that archlab can train with")
    return ControlIngredients(settings, model, data, picture_factor(model), device)


def _own_times(model: Model, process: Process) -> Tensor:
    """The times of 0 … 999 at which the model's scheduler asks in the model's own steps: int64 [T]."""
    scheduler = type(model.scheduler).from_config(model.scheduler.config)
    scheduler.set_timesteps(model.facts.steps)
    every = process.path.timesteps(torch.arange(scheduler.config.num_train_timesteps)).float()
    asked: Tensor = scheduler.timesteps.float()
    return (asked[:, None] - every).abs().argmin(dim=1)
