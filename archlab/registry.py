"""Parts that are chosen by name: each is one file, and one line in a registry."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

from archlab.errors import nearest, shown

T = TypeVar("T")


class Registry(Generic[T]):
    """Parts of one kind by their names. A part is imported when it is first asked for, so that names cost nothing.

    Args:
        entries: by name, where a part is, like ``archlab.diffusion.samplers.ddim:ddim``; or the part itself.
    """

    def __init__(self, entries: Mapping[str, str | T]) -> None:
        self.entries = dict(entries)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they were registered."""
        return tuple(self.entries)

    def __getitem__(self, name: str) -> T:
        """The part of that name, imported.

        Raises:
            ValueError: there is none.
        """
        entry = self.entries[self.checked(name)]
        if not isinstance(entry, str):
            return entry
        module, _, attribute = entry.partition(":")
        part: T = getattr(import_module(module), attribute)
        return part

    def checked(self, name: Any) -> str:
        """The name itself; a validator for pydantic.

        Raises:
            ValueError: no part has it; the message has the nearest name.
        """
        if not isinstance(name, str) or name not in self.entries:
            raise ValueError(f"no {shown(name)}{nearest(str(name), self.names)}")
        return name
