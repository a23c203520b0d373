"""Train a control, or go on with it."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import archlab
from archlab.compute import ComputeSettings, naming_out_of_memory, torch_threads
from archlab.evaluation.fact import write_fact
from archlab.model.controls.card import write_card
from archlab.model.controls.facts import FACTS_FILE, read_facts
from archlab.model.controls.ingredients import ControlIngredients, gather
from archlab.model.controls.network_folder import write_network
from archlab.model.controls.run import ControlRun
from archlab.model.controls.settings import ControlSettings
from archlab.model.train.recorder import begin_record
from archlab.model.train.state import Begun, State
from archlab.model.train.watcher import TrainingWatcher
from archlab.progress import tell, throttled

_DECIDES_NOTHING = {*ComputeSettings.model_fields, "steps", "data", "draw_every", "checkpoint_seconds", "keep"}


def train_control(name: str, settings: ControlSettings, out: Path, *, watchers: Sequence[TrainingWatcher] = ()) -> Path:
    """Train a control for a model, and leave its folder; or go on where it stopped.

    Killed at any moment it goes on from ``out/state``, on the CPU bit for bit. A finished one is left as it is, unless
    more steps are asked for.

    Args:
        name: of the model, as `archlab.model.load.load_model` takes it.

    Returns:
        The folder.

    Raises:
        BadInput: the model, the data or the pictures are absent or do not fit; or the folder is in use, or holds
            something else.
        Diverged: the loss became infinite or NaN.
        OutOfMemory: a micro-batch is too large.
        RunFailed: the disk is full; what was written before is kept.
    """
    state = State(out)
    with state.naming_full_disk(), state.locked():
        begun = state.begun()
        if begun is not None:
            state.check_settings(begun, settings, _DECIDES_NOTHING)
            state.check_steps(begun, settings.steps)
        finished = read_facts(out)
        if finished is not None and finished.steps == settings.steps:
            tell(watchers, "notice", f"{out} is finished, {settings.steps:,} steps: nothing to do")
            return out
        given = gather(name, settings)
        with torch_threads(settings.threads), naming_out_of_memory(given.micro_batch):
            run = _begin(given, state, watchers)
            run.go()
            run.draw("final")
        _write(run, given, out)
    tell(watchers, "training_finished", out)
    return out


def _write(run: ControlRun, given: ControlIngredients, folder: Path) -> None:
    """The control beside its state; ``control.json``, which makes the folder one, last."""
    facts = run.facts()
    (folder / FACTS_FILE).unlink(missing_ok=True)
    write_network(run.network, given.model.spec, given.factor, folder)
    write_card(facts, run.network, given.model.spec, folder, run.prompts[0])
    write_fact(facts, folder / FACTS_FILE)


def _begin(given: ControlIngredients, state: State, watchers: Sequence[TrainingWatcher]) -> ControlRun:
    prepared = given.prepared(throttled(lambda stage, share: tell(watchers, "making_ready", stage, share)))
    given.conditions(prepared)  # whether they are there
    now = Begun(
        uid=secrets.token_hex(8),
        architecture=given.model.spec.id,
        settings={**given.settings.model_dump(mode="json"), "data": given.data},
        images_per_step=given.settings.batch_size,
        data_id=prepared.data.id,
        archlab=archlab.__version__,
        **given.ids,
    )
    return ControlRun(given, prepared, *begin_record(state, now, watchers))
