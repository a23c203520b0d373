"""How latency is measured, on any device."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationError

from archlab.errors import BadInput, nearest, shown
from archlab.section import Amount, Count, Section, refuse_bool

Precision = Literal["fp32", "fp16", "int8"]
AttentionForm = Literal["plain", "split_einsum", "split_einsum_v2"]
Converter = Literal["archlab", "litert-torch"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
ATTENTION_FORMS: tuple[AttentionForm, ...] = get_args(AttentionForm)
_WORDS = {"precision": PRECISIONS, "attention": ATTENTION_FORMS, "converter": get_args(Converter)}


class Execution(Section):
    """How a network is run: what decides its latency besides the device.

    Attributes:
        threads: CPU threads of the runtime.
        precision: ``fp32``; ``fp16`` weights; ``int8`` weights, quantised dynamically. Core ML computes in fp16 with
            fp16, in fp32 with fp32.
        compute: the unit that runs it, in the device's own words (``cpu``, ``gpu``, ``npu``; Core ML: ``all``,
            ``cpu_only``, ``cpu_and_gpu``, ``cpu_and_ne``); None for the device's default.
        attention: the form of attention that is exported; None for the device's default.
        converter: what writes TFLite files: ``litert-torch`` for a device that refuses archlab's own.
        polynomial_sines: the timestep's sinusoids are written without the operators SIN and COS, which old runtimes
            lack.
    """

    threads: Count = 1
    precision: Precision = "fp32"
    compute: str | None = None
    attention: AttentionForm | None = None
    converter: Converter = "archlab"
    polynomial_sines: bool = False

    def execution(self) -> dict[str, Any]:
        """The values by name, without those of a subclass."""
        return self.model_dump(include=set(Execution.model_fields))


class Settings(Execution):
    """How to measure.

    Attributes:
        min_runs, min_seconds: timed runs go on until both are reached.
        quiet_timeout_s: how much longer runs on this computer go on until enough of them were undisturbed by others;
            then the latency is marked noisy.
        processes: how many processes share the runs; the samples of all count.
        timeout_s: the longest that one process may take to load (compile) and run.
        allow_throttled: measure although the device is hot, saves power or is otherwise slowed down.
        seed: of the random weights and inputs.
    """

    min_runs: Annotated[int, BeforeValidator(refuse_bool), Field(ge=2)] = 20
    min_seconds: Annotated[float, BeforeValidator(refuse_bool), Field(ge=0)] = 1.0
    quiet_timeout_s: Annotated[float, BeforeValidator(refuse_bool), Field(ge=0)] = 10.0
    processes: Count = 1
    timeout_s: Amount = 600.0
    allow_throttled: bool = False
    seed: int = 0


def read_settings(options: Mapping[str, Any]) -> Settings:
    """The settings of these names and values, the others at their defaults.

    Raises:
        BadInput: one of them cannot be measured with, or there is none of that name.
    """
    try:
        return Settings.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    name, value = str(first["loc"][0]), first["input"]
    match first["type"]:
        case "extra_forbidden":
            raise BadInput(f"{name}: there is no such setting{nearest(name, list(Settings.model_fields))}")
        case "literal_error":
            raise BadInput(f"{name}: there is no {shown(value)}{nearest(str(value), _WORDS[name])}")
        case "greater_than_equal":
            least = first["ctx"]["ge"]
            raise BadInput(f"{name}: at least {least} {'is' if least == 1 else 'are'} needed but got {value}")
        case "finite_number":
            raise BadInput(f"{name}: must be a finite number but is {value}")
        case "greater_than":
            raise BadInput(f"{name}: must be positive but is {value}")
        case "value_error":
            raise BadInput(f"{name}: {first['msg'].removeprefix('Value error, ')}")
    raise BadInput(f"{name}: {first['msg']}, not {shown(value)}")
