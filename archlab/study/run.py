"""Run a study, or go on with one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from archlab.cache import check_usable
from archlab.errors import BadInput
from archlab.space import SearchSpace, plan, survey
from archlab.study.driver import Driver
from archlab.study.executors import Executor, Inline
from archlab.study.folder import study_folder
from archlab.study.store import open_store
from archlab.study.study import ROOT, Study
from archlab.study.watcher import Watcher, tell


def run_study(
    space: SearchSpace,
    name: str | None = None,
    *,
    root: str | Path = ROOT,
    watchers: Sequence[Watcher] = (),
    executor: Executor | None = None,
    storage: str | None = None,
    more: int = 0,
) -> Study:
    """Run the study of ``space`` in ``root/name``, or go on where it stopped; a finished one is returned as it is.

    Args:
        executor: where trials are evaluated, several at once if it has several slots; None: in this process. It is
            left open.
        storage: ``postgresql://…`` of the database through which several runs share the study; None: this run alone.
        more: how many architectures to evaluate or gate beyond those that are known, whatever ``search.trials`` says.

    Raises:
        BadInput: the limits cannot be met, the folder holds another space's study or is in use, or it or the cache
            cannot be written.
        RunFailed: the baseline cannot be measured, or several trials in a row failed.
    """
    folder = study_folder(space.name if name is None else name, Path(root))
    arms = plan(space)
    if arms and more:
        raise BadInput("--more: the study has a plan, which has the arms it has; more trials are for a search")
    survey(space)  # refuses limits that nothing can meet
    check_usable()  # refuse a cache that no trial could keep its training in
    if arms:
        space = _with_trials(space, len(arms))
    say = partial(tell, watchers, "notice")
    if more:
        with open_store(space, folder, storage, say):  # then the folder has what other machines have finished
            known = folder.records()
        space = _with_trials(space, more + sum(record.counts for record in known))
    with open_store(space, folder, storage, say) as store:
        return Driver(space, arms, folder, store, executor or Inline(), watchers).run()


def _with_trials(space: SearchSpace, trials: int) -> SearchSpace:
    search = space.settings.search.model_copy(update={"trials": trials})
    return replace(space, settings=space.settings.model_copy(update={"search": search}))
