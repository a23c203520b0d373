"""Run a study, or go on with one."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from archlab.cache import check_usable
from archlab.cache import root as cache_root
from archlab.errors import BadInput
from archlab.progress import tell
from archlab.space import survey
from archlab.studies import ROOT
from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.disk import DISK, Disk
from archlab.study.evaluate import STAGES, Stages, evaluate
from archlab.study.executors import Executor, Inline
from archlab.study.folder import study_folder
from archlab.study.limits import cost_limits
from archlab.study.store import Store, open_store
from archlab.study.study import Study
from archlab.study.watcher import Watcher


def run_study(
    study: StudyDefinition | str | Path,
    name: str | None = None,
    *,
    root: str | Path = ROOT,
    watchers: Sequence[Watcher] = (),
    executor: Executor | None = None,
    storage: str | None = None,
    more: int = 0,
    stages: Stages = STAGES,
    disk: Disk = DISK,
) -> Study:
    """Run a study in ``root/name``, or go on where it stopped; a finished one is returned as it is.

    Args:
        study: its definition, or the YAML that has it.
        executor: where trials are evaluated, several at once if it has several slots; None: in this process. It is
            left open.
        storage: ``postgresql://…`` of the database through which several runs share the study; None: this run alone.
        more: how many architectures to evaluate or gate beyond those that are known, whatever ``search.trials`` says.
        stages: how this process measures and trains; with an executor, how it measures the baseline.
        disk: how a full disk is waited for.

    Raises:
        BadInput: the limits cannot be met, the folder holds another space's study or is in use, or it or the cache
            cannot be written.
        RunFailed: the baseline cannot be measured, or several trials in a row failed.
    """
    from archlab.study.driver import Driver  # whoever only reads a study waits for none of its parts

    definition = study if isinstance(study, StudyDefinition) else load_definition(study)
    folder = study_folder(definition.name if name is None else name, Path(root))
    arms = definition.plan().arms
    if arms and more:
        raise BadInput("--more: the study has a plan, which has the arms it has; more trials are for a search")
    survey(definition.space, cost_limits(definition))  # refuses limits that nothing can meet
    say = partial(tell, watchers, "notice")
    for place in (cache_root(), folder.path):
        disk.wait_for_room(place, say)
    check_usable()  # refuse a cache that no trial could keep its training in
    if arms:
        definition = definition.with_trials(len(arms))

    def opened() -> Store:
        return disk.write(lambda: open_store(definition, folder, storage, say, disk=disk), folder.path, say)

    if more:
        with opened():  # then the folder has what other machines have finished
            known = folder.records()
        definition = definition.with_trials(more + sum(record.counts for record in known))
    executor = executor or Inline(partial(evaluate, stages=stages, disk=disk))
    with opened() as store:
        return Driver(definition, arms, folder, store, executor, watchers, stages=stages, disk=disk).run()
