"""The sections of a YAML that are the study's own: limits, search, what a trial may take."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, create_model, model_serializer

from archlab.errors import shown
from archlab.evaluation.measures import MEASURES, Measure
from archlab.section import Amount, Count, Section

Strategy = Literal[
    "surrogate", "tpe", "nsga2", "nsga3", "random", "grid", "ablate", "leave_one_out", "ladder", "factorial"
]
PLANS: tuple[Strategy, ...] = ("grid", "ablate", "leave_one_out", "ladder", "factorial")  # the others are searches


class Share(Section):
    """A limit relative to the baseline: ``"60%"`` in the YAML, ``{of_baseline: 0.6}`` in ``study.yaml``."""

    of_baseline: Amount


def _read_limit(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return Share(of_baseline=float(value.strip()[:-1]) / 100)
        except ValueError:
            pass
    is_saved = isinstance(value, dict) and value.keys() == Share.model_fields.keys()
    if isinstance(value, (str, bool, dict, list)) and not is_saved:
        raise ValueError(f"a limit is a number or a share of the baseline like '60%', not {shown(value)}")
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Limit = Annotated[Amount | Share, BeforeValidator(_read_limit)]


class Constraint(Section):
    """A hard limit on a cost that a formula tells, checked before anything else."""

    max: Limit


class DeviceConstraint(Constraint):
    """A hard limit on what is measured on one of the study's devices, by name; absent: the first. Checked before any
    training."""

    device: str | None = None


class Ceiling(Section):
    """A hard limit on a score that is better when it is lower; checked after training."""

    max: Amount


class Floor(Section):
    """A hard limit on a score that is better when it is higher; checked after training."""

    min: Amount


class OneLimit(NamedTuple):
    """One hard limit of a study; ``place``: its index among those on the same measure."""

    measure: Measure
    device: str | None
    limit: float | Share
    place: int


class LimitsByMeasure(Section):
    """All hard limits of a study: a field for every measure of the registry."""

    @model_serializer(mode="wrap")
    def _without_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: limit for name, limit in serialize(self).items() if limit}

    def each(self) -> Iterator[OneLimit]:
        """Every limit, in the registry's order."""
        for measure in MEASURES.values():
            found = getattr(self, measure.name, None)
            for index, own in enumerate(found if isinstance(found, tuple) else [found] if found else []):
                limit = own.min if isinstance(own, Floor) else own.max
                yield OneLimit(measure, getattr(own, "device", None), limit, index)

    def on(self, first_device: str) -> "Constraints":
        """The same, each limit on a device that is not named on the first one."""
        named = {
            measure.name: tuple(
                own.model_copy(update={"device": own.device or first_device}) for own in getattr(self, measure.name)
            )
            for measure in MEASURES.values()
            if measure.needs == "device" and getattr(self, measure.name)
        }
        return self.model_copy(update=named)


def _field(measure: Measure) -> Any:
    if measure.needs == "device":
        return Annotated[tuple[DeviceConstraint, ...], BeforeValidator(_as_list)], ()
    if measure.needs == "formula":
        return Constraint | None, None
    return (Ceiling if measure.direction == "minimize" else Floor) | None, None


if TYPE_CHECKING:
    Constraints = LimitsByMeasure
else:
    Constraints = create_model(
        "Constraints",
        __base__=LimitsByMeasure,
        **{name: _field(measure) for name, measure in MEASURES.items() if measure.needs != "initialisation"},
    )


def _read_gain(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value.strip().removesuffix("%")) / 100
        except ValueError:
            raise ValueError(f"a gain is a share of the hypervolume like '1%', not {shown(value)}") from None
    return value


class StopSettings(Section):
    """When a study ends before it has all its trials."""

    hours: Amount | None = None  # of all its runs together
    no_gain: Count | None = None  # trials in a row that did not add to the hypervolume
    gain: Annotated[Amount | None, BeforeValidator(_read_gain)] = None  # of the hypervolume, expected of any candidate


class SearchSettings(Section):
    """Which points are asked for, and how many distinct architectures are evaluated or gated, a search's baseline not
    counted.

    Where ``strategy`` is None, `archlab.study.file.StudyFile` has the one that follows from the other sections.
    ``change`` is the whole change whose parts ``leave_one_out`` and ``factorial`` are about, by knob; of a knob that it
    does not name, the last of its values that is not the baseline's.
    """

    strategy: Strategy | None = None
    trials: Count = 40
    seed: Annotated[int, Field(ge=0)] = 0
    stop: StopSettings = StopSettings()
    reduction: Annotated[int, Field(ge=2)] = 3  # at a rung, one in so many goes on
    noise: Annotated[float, Field(ge=0)] | None = None  # sd of quality between seeds; absent: measured
    repeats: Literal["known", "seed"] = "known"  # asked again: answered from the table, or trained with one more seed
    change: dict[str, Any] = Field(default_factory=dict)
    resolution: Literal["full", 3, 4, 5] = "full"  # of a factorial plan
    confirm: bool = True  # before it ends, measure what is on or near the front again, side by side

    def differing(self, names: Iterable[str]) -> list[str]:
        """Those of the settings that are not as they are without being given."""
        given = self.model_dump(include=set(names))
        return [name for name in names if given[name] != getattr(SearchSettings(), name)]


class TrialSettings(Section):
    """What one trial may take before it is ended."""

    minutes: Amount | None = None
    memory_gb: Amount | None = None
