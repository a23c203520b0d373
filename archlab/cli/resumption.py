"""What the last line after Ctrl-C says of a study."""

from collections.abc import Sequence

from archlab.cli.go_on import how_to_go_on, without_more
from archlab.cli.interrupt import say_when_interrupted
from archlab.study import Study, Watcher


class Resumption(Watcher):
    """Once the study holds what ``--more`` asked for, the command that goes on is without it.

    Args:
        arguments: the command's.
        space: as it is among them.
    """

    def __init__(self, arguments: Sequence[str], space: str) -> None:
        self._arguments, self._space = arguments, space

    def study_started(self, study: Study) -> None:
        """See `Watcher`."""
        say_when_interrupted(how_to_go_on(without_more(self._arguments, self._space, study.name)))
