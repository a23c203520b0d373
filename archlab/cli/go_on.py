"""The command with which a study or a training goes on after Ctrl-C."""

import shlex
from collections.abc import Sequence

from archlab.cli.interrupt import TO_GO_ON
from archlab.errors import without_passwords


def how_to_go_on(arguments: Sequence[str], kept: str = "every finished trial") -> str:
    """One line with the command of these arguments, passwords taken out.

    Args:
        kept: what a run that was stopped has kept.
    """
    again = shlex.join(["archlab", *map(without_passwords, arguments)])
    return f"stopped; {kept} is kept. {TO_GO_ON}{again}"


def without_more(arguments: Sequence[str], space: str, name: str) -> list[str]:
    """The arguments for a study that knows of ``--more``, which would count from now on, and of ``--set``."""
    rest = _without(arguments, "--more")
    if len(rest) == len(arguments):
        return rest
    rest = _without(rest, "--set")  # by name, the study has them
    rest[rest.index(space, 1)] = name
    return rest


def _without(arguments: Sequence[str], option: str) -> list[str]:
    """The arguments without the option and its values."""
    rest: list[str] = []
    is_value = False
    for argument in arguments:
        if is_value or argument.split("=")[0] == option:
            is_value = argument == option and not is_value
        else:
            rest.append(argument)
    return rest
