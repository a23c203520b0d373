"""The command with which a study or a training goes on after Ctrl-C."""

import shlex
from collections.abc import Sequence

from archlab.errors import without_passwords


def how_to_go_on(arguments: Sequence[str], kept: str = "every finished trial") -> str:
    """One line with the command of these arguments, passwords taken out.

    Args:
        kept: what a run that was stopped has kept.
    """
    again = shlex.join(["archlab", *map(without_passwords, arguments)])
    return f"stopped; {kept} is kept. To go on: {again}"


def without_more(arguments: Sequence[str], space: str, name: str) -> list[str]:
    """The arguments for a study that knows of ``--more``, which would count from now on."""
    rest = list(arguments)
    place = next((index for index, argument in enumerate(rest) if argument.split("=")[0] == "--more"), None)
    if place is not None:
        del rest[place : place + (1 if "=" in rest[place] else 2)]
        rest[rest.index(space, 1)] = name
    return rest
