"""Architectures as YAML files."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from archlab.architecture.presets import preset, presets
from archlab.architecture.spec import ArchitectureError, UNetSpec
from archlab.errors import BadInput, nearest
from archlab.files import read_text, write_text


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
    text = read_text(Path(path))
    try:
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise BadInput(f"{path}{where}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {error}") from None
    if not isinstance(data, dict):
        raise BadInput(f"{path}: an architecture YAML is a mapping with sample_size, stages, middle, …")
    try:
        return from_dict(data)
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


_ADAPTER = TypeAdapter(UNetSpec)
