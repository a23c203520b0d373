"""Distil a model, or go on with it."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import archlab
from archlab.compute import ComputeSettings, naming_out_of_memory, torch_threads
from archlab.evaluation.fact import read_fact
from archlab.model.card import write_card
from archlab.model.distill.ingredients import DistillIngredients, gather
from archlab.model.distill.run import DistillRun
from archlab.model.distill.settings import DistillSettings
from archlab.model.facts import ModelFacts
from archlab.model.folder import FACTS_FILE, write_model
from archlab.model.train.recorder import Recorder
from archlab.model.train.state import Begun, State
from archlab.model.train.watcher import TrainingWatcher
from archlab.progress import tell, throttled

_DECIDES_NOTHING = {*ComputeSettings.model_fields, "teacher", "data", "draw_every", "checkpoint_seconds", "keep"}


def distill_model(name: str, settings: DistillSettings, out: Path, *, watchers: Sequence[TrainingWatcher] = ()) -> Path:
    """Distil a model to as few steps as the settings have it, and leave a model's folder; or go on where it stopped.

    Killed at any moment it goes on from ``out/state``, on the CPU bit for bit. A finished one is left as it is.

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
    state = State(out)
    with state.naming_full_disk(), state.locked():
        begun = state.begun()
        if begun is not None:
            state.check_settings(begun, settings, _DECIDES_NOTHING)
        if _is_finished(out):
            tell(watchers, "notice", f"{out} is finished: nothing to do")
            return out
        given = gather(name, settings)
        with torch_threads(settings.threads), naming_out_of_memory(given.micro_batch):
            run = _begin(given, state, begun, watchers)
            run.go()
            model = run.model()
            run.draw(model, "final")
            write_card(model, out, run.prompts[0], None)
            write_model(model, out)
    tell(watchers, "training_finished", out)
    return out


def _begin(
    given: DistillIngredients, state: State, begun: Begun | None, watchers: Sequence[TrainingWatcher]
) -> DistillRun:
    report = throttled(lambda stage, share: tell(watchers, "making_ready", stage, share))
    prepared = given.prepared(report)
    now = Begun(
        uid=secrets.token_hex(8) if begun is None else begun.uid,
        architecture=given.model.spec.id,
        settings={**given.settings.model_dump(mode="json"), "data": given.data},
        images_per_step=given.settings.batch_size,
        data_id=prepared.data.id,
        archlab=archlab.__version__,
        **given.ids,
    )
    if begun is not None:
        state.check(begun, now)
    state.begin(now)
    checkpoint = state.newest(now.uid, lambda line: tell(watchers, "notice", line))
    return DistillRun(given, prepared, Recorder(state, now.uid, watchers), checkpoint)


def _is_finished(folder: Path) -> bool:
    path = folder / FACTS_FILE
    return path.is_file() and read_fact(ModelFacts, path).distillation is not None
