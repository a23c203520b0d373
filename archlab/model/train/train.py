"""Train a model, or go on with it."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import archlab
from archlab.architecture import UNetSpec
from archlab.compute import ComputeSettings, device_of, naming_out_of_memory, torch_threads
from archlab.data.settings import DataSettings
from archlab.encoders.settings import EncoderSettings
from archlab.evaluation.fact import read_fact
from archlab.model.facts import ModelFacts
from archlab.model.folder import FACTS_FILE
from archlab.model.settings import ModelSettings
from archlab.model.train.finish import finish
from archlab.model.train.ingredients import Ingredients, gather
from archlab.model.train.recorder import begin_record
from archlab.model.train.run import TrainingRun
from archlab.model.train.state import Begun, State
from archlab.model.train.teacher import Teacher, find_teacher
from archlab.model.train.watcher import TrainingWatcher
from archlab.progress import tell, throttled
from archlab.scores.settings import JudgeSettings
from archlab.training.processes import Processes, launched

_DECIDES_NOTHING = {  # by what data, encoders and teacher hold, not by where they lie
    *DataSettings.model_fields,
    *EncoderSettings.model_fields,
    *ComputeSettings.model_fields,
    *JudgeSettings.model_fields,
    *("teacher", "batch_size", "steps", "sampling_steps", "guidance"),
    *("validate_every", "draw_every", "checkpoint_seconds", "keep"),
}


def train_model(
    spec: UNetSpec, settings: ModelSettings, out: Path, *, watchers: Sequence[TrainingWatcher] = ()
) -> Path:
    """Train the architecture as the settings have it, and leave a model's folder; or go on where a training stopped.

    Killed at any moment it goes on from ``out/state``, on the CPU bit for bit. A finished one is left as it is, unless
    more steps are asked for. Several processes, which a launcher has started, train together: the first one writes.

    Args:
        spec: the architecture, not yet scaled.
        watchers: of the first process.

    Returns:
        The folder.

    Raises:
        BadInput: the data, an encoder, the teacher or the device is absent or does not fit; or the folder is in use,
            or holds a training that was begun with something else.
        Diverged: the loss became infinite or NaN.
        OutOfMemory: a micro-batch is too large.
        RunFailed: the disk is full; what was written before is kept.
    """
    processes = launched(device_of(settings))
    state = State(out)
    if not processes.is_first:
        _train(spec, settings, state, processes, ())
        return out
    with state.naming_full_disk(), state.locked():
        _train(spec, settings, state, processes, watchers)
    return out


def _train(
    spec: UNetSpec, settings: ModelSettings, state: State, processes: Processes, watchers: Sequence[TrainingWatcher]
) -> None:
    begun = state.begun() if processes.is_first else None
    if begun is not None:
        state.check_settings(begun, settings, _DECIDES_NOTHING)
        state.check_steps(begun, settings.steps)
    if finished_steps(state.model) == settings.steps:
        tell(watchers, "notice", f"{state.model} is finished, {settings.steps:,} steps: nothing to do")
        return
    ingredients = gather(spec, settings, processes)
    with torch_threads(settings.threads), naming_out_of_memory(ingredients.micro_batch):
        run = _begin(ingredients, state, begun, watchers)
        run.go()
        if processes.is_first:
            finish(run, state.model)
            tell(watchers, "training_finished", state.model)


def finished_steps(folder: Path) -> int | None:
    """How many steps the model in the folder was trained; None where there is none, or no training is known.

    Raises:
        BadInput: somebody damaged it.
    """
    path = folder / FACTS_FILE
    training = read_fact(ModelFacts, path).training if path.is_file() else None
    return None if training is None else training.steps


def _begin(
    ingredients: Ingredients, state: State, begun: Begun | None, watchers: Sequence[TrainingWatcher]
) -> TrainingRun:
    """The training, begun or taken up."""
    settings, processes = ingredients.settings, ingredients.processes
    report = throttled(lambda stage, share: tell(watchers, "making_ready", stage, share))
    teacher = None
    if settings.teacher is not None:
        report("teacher", 0.0)
        teacher = find_teacher(settings.teacher, ingredients.spec, settings)
    now = _begun(ingredients, teacher)
    if begun is not None:
        state.check(begun, now)  # before the data are encoded
    prepared = ingredients.prepared(report)
    recorder, checkpoint = begin_record(state, now, watchers, processes)
    start, inherited = None, None
    if checkpoint is None and teacher is not None and settings.init == "inherit":
        report("inherit", 0.0)
        start, inherited = ingredients.heir(prepared, teacher)
    training = ingredients.begin(prepared, teacher if settings.distill else None, start)
    return TrainingRun(ingredients, prepared, training, recorder, checkpoint, inherited)


def _begun(ingredients: Ingredients, teacher: Teacher | None) -> Begun:
    return Begun(
        uid=secrets.token_hex(8),
        architecture=ingredients.spec.id,
        settings=ingredients.settings.model_dump(mode="json"),
        images_per_step=ingredients.images_per_step,
        data_id=ingredients.given.data.id,
        encoders_id=ingredients.encoders_id,
        teacher_id=None if teacher is None else teacher.id,
        archlab=archlab.__version__,
    )
