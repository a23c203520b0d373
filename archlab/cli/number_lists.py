"""Numbers between commas on the command line: ``--seeds 0,1,2``."""

from typing import Any

import click

from archlab.errors import shown


class Numbers(click.ParamType[tuple[int | None, ...]]):
    """Whole numbers, each once, in the order in which they are given.

    Args:
        least, most: that each may be.
        word: is allowed among them, and means None.
    """

    name = "numbers"

    def __init__(self, least: int, most: int = 2**63 - 1, word: str | None = None) -> None:
        self._least, self._most, self._word = least, most, word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | None, ...]:
        if not isinstance(value, str):
            return tuple(value)
        return tuple(dict.fromkeys(self._number(part.strip(), param, ctx) for part in value.split(",")))

    def _number(self, part: str, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if self._word is not None and part == self._word:
            return None
        if part.isascii() and part.isdigit() and len(part) < 20 and self._least <= int(part) <= self._most:
            return int(part)
        most = "" if self._most == 2**63 - 1 else f" to {self._most:,}"
        also = f", or {self._word}" if self._word else ""
        needed = f"whole numbers from {self._least}{most} are needed, with commas between them{also}"
        raise click.BadParameter(f"{shown(part)}: {needed}", ctx, param)
