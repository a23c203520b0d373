"""Where and how a study measures latency: an entry of ``measure`` in the YAML."""

import os
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from archlab.document import Place
from archlab.errors import shown
from archlab.latency.devices.kind import kind_name
from archlab.latency.devices.registry import KINDS
from archlab.latency.settings import Settings
from archlab.section import Source


def _of_a_kind(device: str) -> str:
    KINDS.checked(kind_name(device))
    return device


class Measurement(Settings):
    """A device and how it is measured on; what is absent is the device's own default.

    ``name`` is what limits, objectives and columns call it. With ``table``, the file of a block latency table, latency
    is estimated, and measured only where the estimate does not decide.
    """

    device: Annotated[str, Field(min_length=1), AfterValidator(_of_a_kind)] = "tflite"
    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] = ""
    table: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_named(cls, data: Any) -> Any:
        """Named after the device where no name is given: ``android:R58`` is ``android``."""
        if not isinstance(data, dict) or data.get("name"):
            return data
        return {**data, "name": kind_name(str(data.get("device", "tflite")))}

    def how(self) -> dict[str, Any]:
        """The arguments of `archlab.latency.measure`."""
        return self.model_dump(exclude={"name", "table"})


def with_files(entry: Measurement, place: Place, source: Source) -> Measurement:
    """The entry, its files, which are named relative to the YAML, relative to the working directory unless absolute.

    Raises:
        BadInput: a file is not there.
    """
    files = {}
    if entry.table is not None:
        files["table"] = _find_file(entry.table, [*place, "table"], source)
    kind, _, file = entry.device.partition(":")
    if file and kind in KINDS.names and KINDS[kind].names_a_file:
        files["device"] = f"{kind}:{_find_file(file, [*place, 'device'], source)}"
    return entry.model_copy(update=files)


def _find_file(name: str, place: Place, source: Source) -> str:
    path = source.folder(place) / name
    if not os.path.isfile(path):  # False, too, for what cannot be a path
        raise source.error(place, f"{shown(str(path))}: no such file")
    return name if os.path.isabs(name) else os.path.relpath(path)
