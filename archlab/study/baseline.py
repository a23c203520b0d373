"""The baseline, measured once: shares in limits, charts and the rungs' noise refer to it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import stdev
from typing import Any, NamedTuple

import optuna

from archlab.cost import count
from archlab.progress import Progress
from archlab.space import SearchSpace
from archlab.study.callbacks import Callbacks
from archlab.study.evaluate import Job, measured_or_estimated
from archlab.study.fitting import hard_limits
from archlab.study.folder import StudyFolder
from archlab.study.record import Evaluation

_NOISE_SEEDS = 2


class Baseline(NamedTuple):
    """What follows from the baseline.

    Attributes:
        limits: every hard limit, by column.
        noise: standard deviation of quality between seeds, by rung; empty where it is not needed or not known.
    """

    limits: dict[str, float]
    noise: dict[int, float]


def known_baseline(
    space: SearchSpace,
    folder: StudyFolder,
    study: optuna.Study,
    tell: Callable[..., None],
    submit: Callable[[Job], Evaluation] | None,
) -> Baseline:
    """The baseline as ``baseline.json`` or, for a driver that comes later, the Optuna study has it; else measured.

    Args:
        tell: takes the events of a `Watcher`.
        submit: evaluates a job; None where no rung judges.

    Raises:
        BadInput, RunFailed: a device cannot measure it.
    """
    facts = folder.baseline() or study.user_attrs.get("baseline")
    if facts is None:
        tell("trial_started", None, dict(space.baseline_values))
        facts = _facts(space, partial(tell, "progress", None))
    if "noise" not in facts and submit is not None and _needs_noise(space):
        evaluation = submit(_noise_job(space, folder.path / "baseline"))
        if evaluation.status == "failed":
            tell("notice", f"how far two seeds are apart is not known, the baseline failed: {evaluation.reason}")
        facts = facts | {"noise": {str(rung): noise for rung, noise in _noise(evaluation).items()}}
    if facts != folder.baseline():
        folder.write_baseline(facts)
    if facts != study.user_attrs.get("baseline"):
        study.set_user_attr("baseline", facts)
    return Baseline(facts["limits"], {int(rung): noise for rung, noise in facts.get("noise", {}).items()})


def _facts(space: SearchSpace, progress: Progress) -> dict[str, Any]:
    cost = count(space.baseline)
    facts = {
        "knobs": space.baseline_values,
        "params_m": cost.params_m,
        "macs_g": cost.macs_g,
        "latency": {
            where.name: measured_or_estimated(space.baseline, where, Callbacks(progress=progress))
            for where in space.settings.latency_columns.values()
        },
    }
    return facts | {"limits": hard_limits(space, facts)}


def _needs_noise(space: SearchSpace) -> bool:
    """Whether rungs judge and nothing else tells how far two seeds of one architecture are apart."""
    proxy, search = space.settings.proxy, space.settings.search
    return len(proxy.rungs) > 1 and proxy.seeds == 1 and search.noise is None


def _noise_job(space: SearchSpace, folder: Path) -> Job:
    """The baseline's proxy trained with two seeds, not measured."""
    proxy = space.settings.proxy.model_copy(update={"seeds": _NOISE_SEEDS})
    settings = space.settings.model_copy(update={"proxy": proxy, "measure": ()})
    return Job(spec=space.baseline, settings=settings, limits={}, folder=folder, baseline=space.baseline)


def _noise(evaluation: Evaluation) -> dict[int, float]:
    """Sample standard deviation of quality at each rung; empty where the training failed."""
    seeds = (evaluation.proxy or {}).get("by_seed", ())
    rungs = [{int(step): score for step, score in seed["rungs"].items()} for seed in seeds]
    return {step: stdev(scores[step] for scores in rungs) for step in rungs[0]} if len(rungs) > 1 else {}
