"""Train a LoRA, or go on with it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import archlab
from archlab.cache import content_hash
from archlab.compute import ComputeSettings, naming_out_of_memory, torch_threads
from archlab.convert.quiet import quiet
from archlab.data.grey import as_grey
from archlab.data.load import load_data
from archlab.diffusion.configured import configured_process
from archlab.encoders.prepare import Prepared, encode_data
from archlab.errors import BadInput
from archlab.model.load import load_model
from archlab.model.lora.run import LoraRun
from archlab.model.lora.settings import LoraSettings
from archlab.model.model import Model
from archlab.model.train.recorder import begin_record
from archlab.model.train.state import Begun, State
from archlab.model.train.teacher import Teacher
from archlab.model.train.watcher import TrainingWatcher
from archlab.progress import Progress, tell, throttled
from archlab.training.device import training_device
from archlab.training.examples import Examples
from archlab.training.lessons.denoising import Denoising
from archlab.training.settings import TrainingSettings
from archlab.training.training import Training
from archlab.unet.lora.adapter import target_layers, with_adapter
from archlab.unet.lora.files import WEIGHTS_FILE

_DECIDES_NOTHING = {
    *ComputeSettings.model_fields,
    *("data", "validate_every", "draw_every", "checkpoint_seconds", "keep"),
}


def train_lora(name: str, settings: LoraSettings, out: Path, *, watchers: Sequence[TrainingWatcher] = ()) -> Path:
    """Train a LoRA of a model, and leave a folder that diffusers' ``load_lora_weights`` takes; or go on with it.

    Killed at any moment it goes on from ``out/state``, on the CPU bit for bit. A finished one is left as it is.

    Args:
        name: of the model, as `archlab.model.load.load_model` takes it.

    Returns:
        The folder.

    Raises:
        BadInput: the model or the data are absent or do not fit, or no layer is to learn; or the folder is in use, or
            holds something else.
        MissingExtra: peft is not installed.
        Diverged: the loss became infinite or NaN.
        OutOfMemory: a micro-batch is too large.
        RunFailed: the disk is full; what was written before is kept.
    """
    state = State(out, is_lora)
    with state.naming_full_disk(), state.locked():
        begun = state.begun()
        if begun is not None:
            state.check_settings(begun, settings, _DECIDES_NOTHING)
        if is_lora(out):
            tell(watchers, "notice", f"{out} is finished: nothing to do")
            return out
        given = _gather(name, settings)
        with torch_threads(settings.threads), naming_out_of_memory(given.micro_batch):
            run = _begin(given, state, watchers)
            run.go()
            run.finish()
    tell(watchers, "training_finished", out)
    return out


def is_lora(folder: Path) -> bool:
    """Whether a folder holds a LoRA."""
    return (folder / WEIGHTS_FILE).is_file()


@dataclass(frozen=True, eq=False)
class LoraIngredients:
    """A model and what a LoRA of it is made of."""

    settings: LoraSettings
    model: Model
    device: torch.device

    @property
    def micro_batch(self) -> int:
        """Images in memory at once."""
        return min(self.settings.micro_batch or self.settings.batch_size, self.settings.batch_size)

    def prepared(self, progress: Progress) -> Prepared:
        """The data, encoded by the model's own encoders."""
        data = load_data(self.settings.data, self.model.facts.image_size, progress)
        if self.model.image_channels == 1:
            data = as_grey(data)
        return encode_data(data, self.model.codec, self.model.text, progress)

    def begin(self, prepared: Prepared) -> Training:
        """The training before its first step."""
        settings, model = self.settings, self.model
        assert model.facts.diffusion is not None
        with quiet():  # peft imports whatever there is that quantises
            network = with_adapter(model.unet, settings.targets, settings.rank, settings.given_alpha, settings.seed)
        network.to(self.device).checkpointing = settings.checkpointing
        process = configured_process(model.facts.diffusion, prepared.sample_size)
        examples = Examples(prepared, process, settings.batch_size, settings.prompt_dropout)
        return Training(
            network,
            Denoising(network, examples),
            settings.part(TrainingSettings),
            steps=settings.steps,
            seed=settings.seed,
            micro_batch=self.micro_batch,
        )


def _gather(name: str, settings: LoraSettings) -> LoraIngredients:
    device, model = training_device(settings, settings), load_model(name)
    if model.facts.diffusion is None:
        raise BadInput(f"{name}: its scheduler has no noise schedule that archlab can train with")
    target_layers(model.unet, settings.targets)
    return LoraIngredients(settings, model, device)


def _begin(given: LoraIngredients, state: State, watchers: Sequence[TrainingWatcher]) -> LoraRun:
    prepared = given.prepared(throttled(lambda stage, share: tell(watchers, "making_ready", stage, share)))
    now = Begun(
        uid=secrets.token_hex(8),
        architecture=given.model.spec.id,
        settings=given.settings.model_dump(mode="json"),
        images_per_step=given.settings.batch_size,
        data_id=prepared.data.id,
        encoders_id=content_hash(given.model.codec.id, given.model.text.id),
        teacher_id=Teacher(given.model).id,
        archlab=archlab.__version__,
    )
    recorder, checkpoint = begin_record(state, now, watchers)
    return LoraRun(given.model, given.settings, prepared, given.begin(prepared), recorder, checkpoint)
