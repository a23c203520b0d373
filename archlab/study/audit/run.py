"""Train the architectures of an audit, or go on with it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from archlab.errors import BadInput
from archlab.progress import tell
from archlab.studies import ROOT
from archlab.study.audit.sample import stratified
from archlab.study.definition import StudyDefinition
from archlab.study.driver import Driver
from archlab.study.executors import Executor, Inline
from archlab.study.folder import study_folder
from archlab.study.settings import Constraints, SearchSettings
from archlab.study.store import open_store
from archlab.study.study import Study
from archlab.study.watcher import Watcher

_TIMES_THE_LAST_RUNG = 10


def run_audit(
    definition: StudyDefinition,
    name: str,
    *,
    architectures: int = 16,
    steps: int | None = None,
    seeds: int = 2,
    root: str | Path = ROOT,
    watchers: Sequence[Watcher] = (),
    executor: Executor | None = None,
) -> Study:
    """Train a sample of the study's space for long, scored at its rungs on the way: a study in ``root/name``. It goes
    on where it stopped; a finished one is returned as it is.

    Args:
        architectures: see `archlab.study.audit.sample.stratified`; of a smaller space all.
        steps: optimiser steps of every training; None: ten times the last rung.
        seeds: trainings of every architecture.
        executor: as for `archlab.study.run_study`.

    Raises:
        BadInput: the steps are no more than the last rung, the space is too small, or its study's folder holds another.
        RunFailed: several trials in a row failed.
    """
    arms = stratified(definition, architectures)
    long = audit_definition(definition, len(arms), steps, seeds)
    folder = study_folder(name, Path(root))
    with open_store(long, folder, say=partial(tell, watchers, "notice")) as store:
        return Driver(long, arms, folder, store, executor or Inline(), watchers).run()


def audit_definition(definition: StudyDefinition, trials: int, steps: int | None, seeds: int) -> StudyDefinition:
    """The study with the settings of its audit: one rung more, no latency, and no limit that would end a trial.

    Raises:
        BadInput: the steps are no more than the last rung.
    """
    settings, proxy = definition.settings, definition.settings.proxy
    steps = _TIMES_THE_LAST_RUNG * proxy.rungs[-1] if steps is None else steps
    if steps <= proxy.rungs[-1]:
        raise BadInput(f"--steps: must be more than the last of proxy.rungs, {proxy.rungs[-1]}, but is {steps}")
    return definition.with_settings(
        proxy=proxy.model_copy(update={"rungs": (*proxy.rungs, steps), "seeds": seeds, "score_rungs": True}),
        measure=(),
        constraints=Constraints(),
        objectives=("quality", "macs_g"),
        search=SearchSettings(strategy="random", trials=trials, seed=settings.search.seed),
        trial=settings.trial.model_copy(update={"minutes": None}),
        ladder=(),
    )
