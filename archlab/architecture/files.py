"""Architectures as YAML files."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from archlab.architecture.presets import preset, presets
from archlab.architecture.spec import AddedConditioning, ArchitectureError, Block, Stage, Transformer, UNetSpec
from archlab.document import Document
from archlab.errors import BadInput, nearest
from archlab.files import write_text


def save(spec: UNetSpec, path: str | Path) -> None:
    """Write the architecture as YAML, whole or not at all."""
    write_text(Path(path), to_yaml(spec))


def to_yaml(spec: UNetSpec) -> str:
    """The architecture as YAML text, every attribute explicit."""
    return yaml.safe_dump(spec.to_dict(), sort_keys=False, default_flow_style=None, width=150)


def find(name: str, relative_to: Path = Path()) -> UNetSpec:
    """The architecture a user names: a preset, or an architecture YAML.

    Raises:
        BadInput: it is neither, or the file is not a valid architecture.
    """
    if name in presets():
        return preset(name)
    path = relative_to / name
    if path.suffix in (".yaml", ".yml"):
        return load(path)
    raise BadInput(f"{name!r} is neither a preset nor an architecture YAML{nearest(name, presets())}")


def load(path: str | Path) -> UNetSpec:
    """Read an architecture YAML.

    Raises:
        BadInput: the file is absent or not YAML, or names a part that cannot be; one line with the key at fault.
    """
    document = Document(Path(path), "an architecture YAML is a mapping with sample_size, stages, middle, …")
    try:
        return _ADAPTER.validate_python(document.data)
    except ValidationError as error:
        problems = error.errors()
        first = next((p for p in problems if p["type"] == "unexpected_keyword_argument"), problems[0])
        raise document.error(first["loc"], first["msg"]) from None
    except ArchitectureError as error:
        raise ArchitectureError(f"{path}: {error}") from None


def from_dict(data: dict[str, Any]) -> UNetSpec:
    """The inverse of `UNetSpec.to_dict`.

    Raises:
        ArchitectureError: an unknown or missing key, a wrong type, or a network that cannot be built.
    """
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        raise ArchitectureError(f"{key}: {first['msg']}" if key else first["msg"]) from None


for _part in (Transformer, Block, Stage, AddedConditioning, UNetSpec):
    setattr(_part, "__pydantic_config__", ConfigDict(extra="forbid"))  # noqa: B010  # unknown to a dataclass's type

_ADAPTER = TypeAdapter(UNetSpec)
