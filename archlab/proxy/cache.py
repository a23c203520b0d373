"""Trainings already made, cached under the hash of what decides them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, NamedTuple

from torch import Tensor

from archlab import versions
from archlab.architecture import UNetSpec
from archlab.cache import Entry, Kind, content_hash
from archlab.checkpoint import Checkpoint, below, prefixed, read_checkpoint, write_checkpoint
from archlab.diffusion.settings import DiffusionSettings, SamplingSettings
from archlab.evaluation.fact import from_plain, to_plain
from archlab.proxy.settings import ProxySettings
from archlab.scores.score import Scores
from archlab.scores.settings import ScoreSettings
from archlab.section import Section
from archlab.training.curve import CurveRow, curve_rows, curve_tensor
from archlab.training.settings import LessonSettings, TrainingSettings

TRAININGS = Kind("trainings", "what proxies and their baselines were trained to, with scores and curves")

_TRAINED_BY = (DiffusionSettings, TrainingSettings)
_LEARNT_AND_SCORED_BY = (*_TRAINED_BY, LessonSettings, SamplingSettings, ScoreSettings)


class FinalNetwork(NamedTuple):
    """What a training came to at its last rung.

    Attributes:
        images: some that it draws: float32 [N, C, H, W].
        weights: averaged, as `archlab.unet.build` names them.
    """

    images: Tensor
    weights: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class CachedTraining:
    """What the cache has of one seed's training, up to some rung.

    Attributes:
        rungs: scores at each rung up to there.
        curve: one row a step.
        score_seconds: time spent on scoring, drawing included.
        inherited: what it began with, if with a baseline's weights.
        end: None where it was stopped before its last rung.
    """

    rungs: dict[int, Scores] = field(default_factory=dict)
    curve: Sequence[CurveRow] = ()
    score_seconds: float = 0.0
    inherited: dict[str, Any] | None = None
    end: FinalNetwork | None = None


def training_id(
    spec: UNetSpec, settings: ProxySettings, given_id: str, seed: int, device: str, baseline: str | None = None
) -> str:
    """Hash of what decides the scores of one seed's training of the proxy ``spec``.

    How it is computed is left out: threads and micro-batches round the last digits differently, no more.

    Args:
        given_id: of its data and encoders, and of the networks that score it.
        baseline: content hash of the proxy whose weights it begins with or from whom it learns.
    """
    deciding = [_values(settings, _LEARNT_AND_SCORED_BY), settings.rungs, settings.init]
    return content_hash(spec.id, deciding, given_id, seed, device, baseline, *_computed_with(), versions.SCORES)


def baseline_id(spec: UNetSpec, settings: ProxySettings, prepared_id: str, device: str) -> str:
    """Hash of what decides the weights of the baseline's proxy ``spec``, trained to the last rung: not its scores."""
    deciding = [_values(settings, _TRAINED_BY), settings.rungs[-1]]
    return content_hash("baseline", spec.id, deciding, prepared_id, device, *_computed_with())


def read_training(identity: str) -> CachedTraining:
    """What the cache has; nothing where it has none or a damaged one."""
    entry = read_entry(identity)
    if entry is None:
        return CachedTraining()
    tensors, facts = entry
    end = None
    if "images" in tensors:
        end = FinalNetwork(tensors["images"], below("weights", tensors))
    return CachedTraining(
        rungs=rungs_of(facts),
        curve=curve_rows(tensors["curve"]),
        score_seconds=facts["score_seconds"],
        inherited=facts["inherited"],
        end=end,
    )


def write_training(identity: str, training: CachedTraining) -> None:
    """Write it, whole or not at all, unless another study has come as far meanwhile."""
    if len(read_training(identity).curve) >= len(training.curve):
        return
    tensors = {"curve": curve_tensor(training.curve)}
    facts = {
        "rungs": rung_facts(training.rungs),
        "score_seconds": training.score_seconds,
        "inherited": training.inherited,
    }
    if training.end is not None:
        tensors |= {"images": training.end.images, **prefixed("weights", training.end.weights)}
    write_entry(identity, Checkpoint(tensors, facts))


def rung_facts(rungs: Mapping[int, Scores]) -> list[tuple[int, dict[str, Any]]]:
    """Scores by rung as JSON has them."""
    return [(rung, to_plain(scores)) for rung, scores in rungs.items()]


def rungs_of(facts: Mapping[str, Any]) -> dict[int, Scores]:
    """What `rung_facts` made, under ``rungs``."""
    return {rung: from_plain(Scores, scores, "a cached training") for rung, scores in facts["rungs"]}


def read_entry(identity: str) -> Checkpoint | None:
    """What is cached under this name; None where there is nothing, or it is damaged."""
    path = training_entry(identity).use()
    return None if path is None else read_checkpoint(path, identity)


def write_entry(identity: str, checkpoint: Checkpoint) -> None:
    """Cache it under this name, if the disk has room."""
    training_entry(identity).keep(lambda path: write_checkpoint(path, identity, checkpoint))


def training_entry(identity: str) -> Entry:
    """Where it is cached.

    Raises:
        BadInput: the cache's limit is no number.
    """
    return TRAININGS.entry(f"{identity}.safetensors")


def _values(settings: ProxySettings, sections: Iterable[type[Section]]) -> list[dict[str, Any]]:
    return [settings.part(section).model_dump(mode="json") for section in sections]


def _computed_with() -> list[object]:
    """Versions of what decides weights besides the settings: archlab's own code and the libraries below it."""
    own = [versions.UNET, versions.DIFFUSION, versions.TRAINING]
    return [*own, *(version(name) for name in ("torch", "diffusers"))]
