"""What differs between two architectures."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from archlab.architecture.spec import UNetSpec


class Difference(NamedTuple):
    """One attribute that differs; ``None`` where a side does not have it."""

    where: str
    before: Any
    after: Any


def diff(before: UNetSpec, after: UNetSpec) -> list[Difference]:
    """Every attribute that differs, named by its place: ``stages[1].down[0].conv``."""
    return list(_compare("", before.to_dict(), after.to_dict()))


def _compare(where: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            yield from _compare(f"{where}.{key}".lstrip("."), before.get(key), after.get(key))
    elif isinstance(before, (list, tuple)) and isinstance(after, (list, tuple)):
        for index in range(max(len(before), len(after))):
            yield from _compare(
                f"{where}[{index}]",
                before[index] if index < len(before) else None,
                after[index] if index < len(after) else None,
            )
    elif before != after:
        yield Difference(where, before, after)
