"""The sections of a search-space YAML, validated. Every default is here."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from archlab.errors import nearest

Strategy = Literal["tpe", "nsga2", "nsga3", "random", "grid", "ablate", "leave_one_out", "ladder", "factorial"]
Quality = Literal["val_loss", "fid", "kid", "precision", "recall", "adherence", "clip_score"]
QUALITIES: tuple[str, ...] = get_args(Quality)
ZERO_COST = ("grad_norm", "synflow", "naswot")  # scores at initialisation
HIGHER_IS_BETTER: tuple[Quality, ...] = ("precision", "recall", "adherence", "clip_score")
Prediction = Literal["epsilon", "v", "flow"]
NoiseSchedule = Literal["cosine", "linear", "shifted"]
ImageSampler = Literal["ddim", "dpm", "euler"]
AttentionForm = Literal["plain", "split_einsum", "split_einsum_v2"]

BUILTIN_DATA = ("digits", "shapes")
DEVICE_KINDS = ("tflite", "torch", "android", "coreml", "iphone", "replay")  # ``android:SERIAL``, ``coreml@HOST``, …


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
    """Where and how latency is measured; what is absent is the device's own default.

    ``name`` is what limits, objectives and columns call it. With ``table``, the file of a block latency table, latency
    is estimated, and measured only where the estimate does not decide.
    """

    device: Annotated[str, Field(min_length=1)] = "tflite"
    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] = ""
    threads: Count = 1
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    compute: str | None = None
    attention: AttentionForm | None = None
    min_runs: Annotated[int, BeforeValidator(_refuse_bool), Field(ge=2)] = 20
    min_seconds: Amount = 1.0
    processes: Count = 1
    timeout_s: Amount = 600.0
    allow_throttled: bool = False
    table: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_named(cls, data: Any) -> Any:
        """Named after the device where no name is given: ``android:R58`` is ``android``."""
        if not isinstance(data, dict) or data.get("name"):
            return data
        return {**data, "name": _kind(str(data.get("device", "tflite")))}

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, device: str) -> str:
        if _kind(device) not in DEVICE_KINDS:
            raise ValueError(f"no {_kind(device)!r}{nearest(_kind(device), DEVICE_KINDS)}")
        return device

    def how(self) -> dict[str, Any]:
        """The arguments of `archlab.latency.measure`."""
        return self.model_dump(exclude={"name", "table"})


def _kind(device: str) -> str:
    return re.split("[:@]", device)[0]


def column_suffixes(devices: Iterable[str]) -> dict[str, str]:
    """What the columns about each device end with: nothing for the first, ``_<name>`` for every other."""
    return {name: f"_{name}" if index else "" for index, name in enumerate(devices)}


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


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class Constraint(Section):
    """A hard limit, checked before any training."""

    max: Limit


class LatencyConstraint(Constraint):
    """A hard limit on the latency of the target on one of the study's devices, by name; absent: the first."""

    device: str | None = None


class Constraints(Section):
    """All hard limits of a study."""

    params_m: Constraint | None = None
    macs_g: Constraint | None = None
    latency_ms: Annotated[tuple[LatencyConstraint, ...], BeforeValidator(_as_list)] = ()


class Scale(Section):
    """How the proxy is shrunk: channels × ``width``, images of side ``sample_size``."""

    width: Amount = 0.1
    sample_size: Count = 16


class Distillation(Section):
    """Weights of what a proxy learns from the trained baseline, added to its own loss (BK-SDM, arXiv 2305.15798)."""

    output: Annotated[float, Field(ge=0)] = 1.0
    features: Annotated[float, Field(ge=0)] = 0.0  # of every stage


class ProxySettings(Section):
    """How quality is judged: what the proxy is trained on, for how long, and how it is scored.

    The defaults of rungs, quality, batch size and learning rate are what ``reports/proxy_audit`` recommends.
    """

    data: Annotated[str, Field(min_length=1)]  # digits, shapes, or a path: captioned images, shards, COCO captions
    vae: str | None = None  # a diffusers folder; absent: pixels
    text: str | None = None  # a transformers folder with CLIP's text encoder; absent: words as fixed vectors
    scale: Scale = Scale()
    rungs: Annotated[tuple[Count, ...], Field(min_length=1)] = (100,)  # optimiser steps at which it is scored
    quality: Quality = "val_loss"
    seeds: Count = 1
    batch_size: Count = 16
    micro_batch: Count | None = None  # images that are in memory at once; absent: the whole batch
    learning_rate: Amount = 2e-3
    objective: Prediction = "epsilon"
    schedule: NoiseSchedule = "cosine"
    min_snr: Amount | None = None  # gamma of min-SNR weighting (arXiv 2303.09556); absent: every time step counts alike
    precision: Literal["fp32", "bf16"] = "fp32"  # bf16 on CUDA only
    device: Literal["auto", "cpu", "cuda"] = "auto"
    init: Literal["random", "inherit"] = "random"  # inherit: begin with the trained baseline's weights
    distill: Distillation | None = None
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    prompt_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    finetune_share: Annotated[float, Field(gt=0, lt=1)] = 0.2  # last steps of softmax->relu, run with relu
    samples: Annotated[int, Field(ge=2)] = 256  # images that fid@N compares
    extractor: str = "reader"  # of the features that fid compares: trained on the data, or a path to weights
    clip: str | None = None  # a transformers folder with CLIP, for clip_score
    zero_cost: bool = False  # scores at initialisation as further columns
    sampler: ImageSampler = "dpm"
    sampling_steps: Count = 8  # so that a proxy is drawn from in less time than it was trained in
    score_steps: tuple[Count, ...] = ()  # further numbers of sampling steps that the trained proxy is scored at
    score_rungs: bool = False  # by everything at every rung, not at the last alone; audits do
    guidance: Annotated[float, Field(ge=1)] = 2.0
    threads: Count | None = None  # of torch while training on the CPU; absent: torch's own choice

    @model_validator(mode="after")
    def _rungs_rise(self) -> "ProxySettings":
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError(f"rungs must rise but are {list(self.rungs)}")
        return self


class StopSettings(Section):
    """When a study ends before it has all its trials."""

    hours: Amount | None = None  # of all its runs together
    no_gain: Count | None = None  # trials in a row that did not add to the hypervolume


class SearchSettings(Section):
    """Which points are asked for, and how many distinct architectures are evaluated or gated.

    ``change`` is the whole change whose parts ``leave_one_out`` and ``factorial`` are about, by knob; of a knob that it
    does not name, the last of its values that is not the baseline's.
    """

    strategy: Strategy = "tpe"
    trials: Count = 40
    seed: Annotated[int, Field(ge=0)] = 0
    stop: StopSettings = StopSettings()
    reduction: Annotated[int, Field(ge=2)] = 3  # at a rung, one in so many goes on
    noise: Annotated[float, Field(ge=0)] | None = None  # sd of quality between seeds; absent: measured
    repeats: Literal["known", "seed"] = "known"  # asked again: answered from the table, or trained with one more seed
    change: dict[str, Any] = {}
    resolution: Literal["full", 3, 4, 5] = "full"  # of a factorial plan


class TrialSettings(Section):
    """What one trial may take before it is ended."""

    minutes: Amount | None = None
    memory_gb: Amount | None = None


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
    measure: tuple[Measurement, ...] = (Measurement(),)
    constraints: Constraints = Constraints()
    objectives: Annotated[tuple[str, ...], Field(min_length=1)] = ("quality", "latency_ms")
    search: SearchSettings = SearchSettings()
    trial: TrialSettings = TrialSettings()
    ladder: tuple[LadderStep, ...] = ()

    @model_validator(mode="after")
    def _sections_agree(self) -> "SpaceFile":
        """A message begins with the place that it is about."""
        self._check_names()
        self._check_objectives()
        self._check_latency_limits()
        if (self.search.strategy == "ladder") != bool(self.ladder):
            raise ValueError("ladder: its steps and search.strategy ladder go together")
        return self

    def _check_names(self) -> None:
        names = [entry.name for entry in self.measure]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f"measure.{index}.name: {name!r} is there twice; give each entry a name of its own")

    def _check_objectives(self) -> None:
        if not self.measure and "latency_ms" in self.objectives:
            raise ValueError("objectives: latency_ms (the default) needs an entry under measure; or name others")
        valid = ["quality", "params_m", "macs_g", *self.latency_columns]
        for index, objective in enumerate(self.objectives):
            if objective not in valid:
                raise ValueError(f"objectives.{index}: no {objective!r}{nearest(objective, valid)}")
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives: one is there twice: {list(self.objectives)}")
        if "quality" not in self.objectives:
            raise ValueError("objectives: quality must be one of them")

    def _check_latency_limits(self) -> None:
        limits, names = self.constraints.latency_ms, [entry.name for entry in self.measure]
        if limits and not names:
            raise ValueError("constraints.latency_ms: needs an entry under measure")
        limited: set[str] = set()
        for index, limit in enumerate(limits):
            device = names[0] if limit.device is None else limit.device
            place = f"constraints.latency_ms.{index}.device"
            if device not in names:
                raise ValueError(f"{place}: no {device!r} under measure{nearest(device, names)}")
            if device in limited:
                raise ValueError(f"{place}: a second limit on {device!r}")
            limited.add(device)

    @property
    def latency_columns(self) -> dict[str, Measurement]:
        """Columns of the study's table, each with where it is measured: ``latency_ms`` for the first entry,
        ``latency_ms_<name>`` for every other."""
        suffixes = column_suffixes(entry.name for entry in self.measure)
        return {f"latency_ms{suffixes[entry.name]}": entry for entry in self.measure}

    @property
    def latency_limits(self) -> dict[str, Limit]:
        """Limits on latency by column."""
        columns = {entry.name: column for column, entry in self.latency_columns.items()}
        return {columns[limit.device or self.measure[0].name]: limit.max for limit in self.constraints.latency_ms}


def words(section: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The valid keys of the section at ``place`` below ``section``."""
    for part in place:
        if isinstance(part, str) and part in section.model_fields:
            kinds = [section.model_fields[part].annotation, *get_args(section.model_fields[part].annotation)]
            section = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), section)
    return list(section.model_fields)
