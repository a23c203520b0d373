"""The baseline is measured and trained once: shares in limits, charts and the pruner's noise refer to it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import stdev

import optuna

from archlab.cost import count
from archlab.errors import RunFailed
from archlab.evaluation import AnyLatency, Baseline, Estimate, Evaluation, find_column
from archlab.evaluation.evaluation import device_cells
from archlab.evaluation.fact import from_plain, to_plain
from archlab.space import Arm
from archlab.study.callbacks import Callbacks
from archlab.study.definition import StudyDefinition
from archlab.study.evaluate import STAGES, Job, Stages, gated_by, measured_or_estimated, missing_measure
from archlab.study.folder import StudyFolder
from archlab.study.limits import hard_limits
from archlab.study.settings import Share

_NOISE_SEEDS = 2
_MOST_TIMES = 3  # that a noisy baseline is measured, where a limit is a share of it


def known_baseline(
    definition: StudyDefinition,
    arms: Sequence[Arm],
    folder: StudyFolder,
    study: optuna.Study,
    tell: Callable[..., None],
    *,
    submit: Callable[[Job], Evaluation],
    stages: Stages = STAGES,
) -> Baseline:
    """The baseline as ``baseline.json`` or, for a driver that comes later, the Optuna study has it; else measured.

    Args:
        arms: of the study's plan, one of which may judge the baseline; none: it is a search.
        tell: takes the events of a `Watcher`.
        submit: evaluates a job.
        stages: how its latency is measured.

    Raises:
        BadInput, RunFailed: a device cannot measure it.
    """
    shared = _shared(study)
    known = folder.baseline() or shared
    if known is None:
        tell("trial_started", None, dict(definition.space.baseline_values))
        known = _measured(definition, Callbacks(progress=partial(tell, "progress", None)), stages)
        for line in _doubts(definition, known):
            tell("notice", line)
    if known.proxy is None and not _is_left_to_arms(definition, arms, known):
        evaluation = submit(_training(definition, folder.path / "baseline"))
        if evaluation.status == "failed":
            tell("notice", f"how good the baseline is is not known, its training failed: {evaluation.reason}")
        known = replace(known, proxy=evaluation.proxy, noise=_noise(definition, evaluation))
    if known != folder.baseline():
        folder.write_baseline(known)
    if known != shared:
        study.set_user_attr("baseline", to_plain(known))
    return known


def _shared(study: optuna.Study) -> Baseline | None:
    """What another driver measured."""
    known = study.user_attrs.get("baseline")
    return None if known is None else from_plain(Baseline, known, f"the baseline of {study.study_name}")


def _measured(definition: StudyDefinition, callbacks: Callbacks, stages: Stages) -> Baseline:
    space = definition.space
    cost = count(space.baseline)
    shares = _shares(definition)
    latency: dict[str, AnyLatency] = {}
    for where in definition.settings.measure:
        for _ in range(_MOST_TIMES if where.name in shares else 1):
            latency[where.name] = measured_or_estimated(space.baseline, where, callbacks, stages)
            if not latency[where.name].noisy:
                break
    values = device_cells(latency)
    for column in definition.settings.named_columns:
        if column in values and values[column] is None:
            found = find_column(column)
            assert found is not None
            device = found.device or definition.settings.devices[0]
            raise RunFailed(f"the baseline: {missing_measure(found.measure.name, device, latency[device])}")
    return Baseline(
        knobs=space.baseline_values,
        params_m=cost.params_m,
        macs_g=cost.macs_g,
        latency=latency,
        limits=hard_limits(definition, latency),
    )


def _shares(definition: StudyDefinition) -> dict[str, str]:
    """Devices on which a limit is a share of the baseline's latency, each with the limit's column."""
    settings = definition.settings
    columns = settings.latency_columns.items()
    return {where.name: column for column, where in columns if isinstance(settings.limits.get(column), Share)}


def _doubts(definition: StudyDefinition, known: Baseline) -> Iterator[str]:
    """What stands on a noisy number, one line each."""
    for device, column in _shares(definition).items():
        latency = known.latency[device]
        if not isinstance(latency, Estimate) and latency.noise is not None:
            yield (
                f"the limit on {column}, {known.limits[column]:.4g}, stands on a noisy number: the baseline's latency "
                f"on {device}, measured {_MOST_TIMES} times ({latency.noise}); stop the study, wait until the device "
                "is idle and begin it anew, or give the limit in ms"
            )


def _needs_noise(definition: StudyDefinition) -> bool:
    """Whether trials are pruned and nothing else tells how far two seeds of one architecture are apart.

    A surrogate learns that from the trials.
    """
    settings = definition.settings
    is_pruned = len(settings.proxy.rungs) > 1 and settings.strategy != "surrogate"
    return is_pruned and settings.proxy.seeds == 1 and settings.search.noise is None


def _is_left_to_arms(definition: StudyDefinition, arms: Sequence[Arm], known: Baseline) -> bool:
    """Whether an arm of the plan judges it, where limits allow it; an audit compares what it was given and no more."""
    if not arms or not definition.plan().arms:
        return bool(arms)
    is_over = gated_by(known.evaluation, known.limits).gate is not None
    space = definition.space
    return not is_over and any(space.spec(arm.values) == space.baseline for arm in arms)


def _training(definition: StudyDefinition, folder: Path) -> Job:
    """The baseline's proxy trained, with two seeds where their difference has to be known; not measured."""
    settings, baseline = definition.settings, definition.space.baseline
    seeds = max(settings.proxy.seeds, _NOISE_SEEDS) if _needs_noise(definition) else settings.proxy.seeds
    proxy = settings.proxy.model_copy(update={"seeds": seeds})
    return Job(
        spec=baseline,
        settings=settings.model_copy(update={"proxy": proxy, "measure": ()}),
        limits={},
        folder=folder,
        baseline=baseline,
    )


def _noise(definition: StudyDefinition, evaluation: Evaluation) -> dict[int, float] | None:
    """Sample standard deviation of quality at each rung, where it is needed; empty where the training failed."""
    if not _needs_noise(definition):
        return None
    runs = evaluation.proxy.by_seed if evaluation.proxy else ()
    return {step: stdev(run.rungs[step] for run in runs) for step in runs[0].rungs} if len(runs) > 1 else {}
