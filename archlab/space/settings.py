"""The sections of a search-space YAML, validated. Every default is here."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Objective = Literal["quality", "latency_ms", "params_m", "macs_g"]
Strategy = Literal["tpe", "nsga2", "nsga3", "random", "ladder"]
Quality = Literal["val_loss", "fid"]


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")
    return value


Count = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=1)]
Amount = Annotated[float, BeforeValidator(_refuse_bool), Field(gt=0)]


class Section(BaseModel):
    """A frozen section; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Context(Section):
    """What the text encoder gives: ``length`` tokens of width ``dim``."""

    length: Count
    dim: Count


class Target(Section):
    """The network as it would be deployed; what is absent is the baseline's."""

    sample_size: Count | None = None
    context: Context | None = None


class Measurement(Section):
    """Where and how latency is measured."""

    device: Literal["tflite"] = "tflite"
    threads: Count = 1
    precision: Literal["fp32"] = "fp32"
    min_runs: Count = 20
    min_seconds: Amount = 1.0


class Share(Section):
    """A limit relative to the baseline: ``"60%"`` in the YAML."""

    of_baseline: Amount


def _read_limit(value: Any) -> Any:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return Share(of_baseline=float(value.strip()[:-1]) / 100)
        except ValueError:
            pass
    if isinstance(value, (str, bool, dict, list)):
        raise ValueError(f"a limit is a number or a share of the baseline like '60%', not {value!r}")
    return value


Limit = Annotated[Amount | Share, BeforeValidator(_read_limit)]


class Constraint(Section):
    """A hard limit, checked before any training."""

    max: Limit


class LatencyConstraint(Constraint):
    """A hard limit on the latency of the target."""

    device: Literal["tflite"] = "tflite"


class Constraints(Section):
    """All hard limits of a study."""

    params_m: Constraint | None = None
    macs_g: Constraint | None = None
    latency_ms: LatencyConstraint | None = None


class Scale(Section):
    """How the proxy is shrunk: channels × ``width``, images of side ``sample_size``."""

    width: Amount = 0.1
    sample_size: Count = 16


class ProxySettings(Section):
    """How quality is judged: what the proxy is trained on, for how long, and how it is scored."""

    data: Literal["digits"]
    scale: Scale = Scale()
    rungs: Annotated[tuple[Count, ...], Field(min_length=1)] = (600,)  # optimiser steps at which it is scored
    quality: Quality = "val_loss"
    seeds: Count = 1
    batch_size: Count = 64
    learning_rate: Amount = 1e-3
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    prompt_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    finetune_share: Annotated[float, Field(gt=0, lt=1)] = 0.2  # last steps of softmax->relu, run with relu
    samples: Annotated[int, Field(ge=2)] = 256  # images that fid@N compares
    sampling_steps: Count = 20
    guidance: Annotated[float, Field(ge=1)] = 2.0
    threads: Count | None = None  # of torch while training on the CPU; absent: torch's own choice

    @model_validator(mode="after")
    def _rungs_rise(self) -> "ProxySettings":
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError(f"rungs must rise but are {list(self.rungs)}")
        return self


class SearchSettings(Section):
    """Which points are asked for, and how many distinct architectures are evaluated or gated."""

    strategy: Strategy = "tpe"
    trials: Count = 40
    seed: Annotated[int, Field(ge=0)] = 0


class LadderStep(Section):
    """Knob values set on top of those of the steps before."""

    step: str
    values: Annotated[dict[str, Any], Field(min_length=1)]
    reported: str = ""  # what a paper says of it


class SpaceFile(Section):
    """A whole search-space YAML; ``knobs`` are read apart, against the baseline."""

    baseline: str
    knobs: dict[str, Any]
    proxy: ProxySettings
    require: tuple[str, ...] = ()
    target: Target = Target()
    measure: Annotated[tuple[Measurement, ...], Field(max_length=1)] = (Measurement(),)
    constraints: Constraints = Constraints()
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)] = ("quality", "latency_ms")
    search: SearchSettings = SearchSettings()
    ladder: tuple[LadderStep, ...] = ()

    @model_validator(mode="after")
    def _sections_agree(self) -> "SpaceFile":
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives: one is there twice: {list(self.objectives)}")
        if "quality" not in self.objectives:
            raise ValueError("objectives: quality must be one of them")
        if not self.measure and "latency_ms" in self.objectives:
            raise ValueError("objectives: latency_ms (the default) needs an entry under measure; or name others")
        if not self.measure and self.constraints.latency_ms:
            raise ValueError("constraints: latency_ms needs an entry under measure")
        if (self.search.strategy == "ladder") != bool(self.ladder):
            raise ValueError("ladder: its steps and search.strategy ladder go together")
        return self


def words(section: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The valid keys of the section at ``place`` below ``section``."""
    for part in place:
        if isinstance(part, str) and part in section.model_fields:
            kinds = [section.model_fields[part].annotation, *get_args(section.model_fields[part].annotation)]
            section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), section)
    return list(section.model_fields)
