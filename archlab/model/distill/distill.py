"""Distil a model, or go on with it."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import archlab
from archlab.compute import ComputeSettings, device_of, naming_out_of_memory, torch_threads
from archlab.evaluation.fact import read_fact
from archlab.model.card import write_card
from archlab.model.distill.ingredients import DistillIngredients, gather
from archlab.model.distill.run import DistillRun
from archlab.model.distill.settings import DistillSettings
from archlab.model.facts import ModelFacts
from archlab.model.folder import FACTS_FILE, write_model
from archlab.model.train.recorder import begin_record
from archlab.model.train.state import Begun, State
from archlab.model.train.watcher import TrainingWatcher
from archlab.progress import tell, throttled
from archlab.training.processes import Processes, launched

_DECIDES_NOTHING = {
    *ComputeSettings.model_fields,
    "teacher",
    "data",
    "batch_size",
    "draw_every",
    "checkpoint_seconds",
    "keep",
}


def distill_model(name: str, settings: DistillSettings, out: Path, *, watchers: Sequence[TrainingWatcher] = ()) -> Path:
    """Distil a model to as few steps as the settings have it, and leave a model's folder; or go on where it stopped.

    Killed at any moment it goes on from ``out/state``, on the CPU bit for bit. A finished one is left as it is. Several
    processes, which a launcher has started, distil together: the first one writes.

    Args:
        name: of the model, as `archlab.model.load.load_model` takes it.

    Returns:
        The folder.

    Raises:
        BadInput: a model or the data are absent or do not fit; or the folder is in use, or holds something else.
        Diverged: a loss became infinite or NaN.
        OutOfMemory: a micro-batch is too large.
        RunFailed: the disk is full; what was written before is kept.
    """
    processes, state = launched(device_of(settings)), State(out)
    if not processes.is_first:
        _distill(name, settings, state, processes, ())
        return out
    with state.naming_full_disk(), state.locked():
        _distill(name, settings, state, processes, watchers)
    return out


def _distill(
    name: str, settings: DistillSettings, state: State, processes: Processes, watchers: Sequence[TrainingWatcher]
) -> None:
    out, begun = state.model, state.begun() if processes.is_first else None
    if begun is not None:
        state.check_settings(begun, settings, _DECIDES_NOTHING)
    if _is_finished(out):
        tell(watchers, "notice", f"{out} is finished: nothing to do")
        return
    given = gather(name, settings, processes)
    with torch_threads(settings.threads), naming_out_of_memory(given.micro_batch):
        run = _begin(given, state, watchers)
        run.go()
        if processes.is_first:
            model = run.model()
            run.draw(model, "final")
            write_card(model, out, run.prompts[0], None)
            write_model(model, out)
            tell(watchers, "training_finished", out)
    processes.wait()  # the student may be the next one's teacher


def _begin(given: DistillIngredients, state: State, watchers: Sequence[TrainingWatcher]) -> DistillRun:
    prepared = given.prepared(throttled(lambda stage, share: tell(watchers, "making_ready", stage, share)))
    now = Begun(
        uid=secrets.token_hex(8),
        architecture=given.model.spec.id,
        settings={**given.settings.model_dump(mode="json"), "data": given.data},
        images_per_step=given.images_per_step,
        data_id=prepared.data.id,
        archlab=archlab.__version__,
        **given.ids,
    )
    return DistillRun(given, prepared, *begin_record(state, now, watchers, given.processes))


def _is_finished(folder: Path) -> bool:
    path = folder / FACTS_FILE
    return path.is_file() and read_fact(ModelFacts, path).distillation is not None
