"""How latency is measured: the section of a YAML."""

import os
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from archlab.document import Document, Place
from archlab.errors import nearest
from archlab.section import Amount, Count, Section, refuse_bool

AttentionForm = Literal["plain", "split_einsum", "split_einsum_v2"]

DEVICE_KINDS = ("tflite", "torch", "android", "coreml", "iphone", "replay")  # ``android:SERIAL``, ``coreml@HOST``, …


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
    min_runs: Annotated[int, BeforeValidator(refuse_bool), Field(ge=2)] = 20
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


def with_files(entry: Measurement, place: Place, document: Document) -> Measurement:
    """The entry, its files, which are named relative to the YAML, relative to the working directory unless absolute.

    Raises:
        BadInput: a file is not there.
    """
    files = {}
    if entry.table is not None:
        files["table"] = _find_file(entry.table, [*place, "table"], document)
    if entry.device.startswith("replay:"):
        recording = entry.device.removeprefix("replay:")
        files["device"] = f"replay:{_find_file(recording, [*place, 'device'], document)}"
    return entry.model_copy(update=files)


def _find_file(name: str, place: Place, document: Document) -> str:
    path = document.path.parent / name
    if not os.path.isfile(path):  # False, too, for what cannot be a path
        raise document.error(place, f"{str(path)!r}: no such file")
    return name if os.path.isabs(name) else os.path.relpath(path)
