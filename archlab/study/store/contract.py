"""The contract of a store."""

from collections.abc import Callable, Container
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from archlab.evaluation import Record

if TYPE_CHECKING:  # Optuna waits until a study is opened: whoever reads one does not
    import optuna
    from optuna.trial import FrozenTrial, Trial

Say = Callable[[str], None]

GRACE_SECONDS = 5.0  # for live drivers to take their rights again after their connections broke


class Store(Protocol):
    """One driver's view of a study's shared state. Every method may be called from any thread.

    A finished trial is written to its folder first, then published, then told to Optuna: what a killed driver wrote and
    did not tell, the next one finds.

    Attributes:
        optuna: every trial that was asked for.
    """

    optuna: "optuna.Study"

    def asking(self) -> AbstractContextManager[None]:
        """Hold the right to decide what is asked next; one driver has it at a time."""

    def lease(self, number: int) -> bool:
        """Take the right to work on an asked trial; False: another driver has it, or finished the trial."""

    def release(self, number: int) -> None:
        """Give the right back, after the trial was told."""

    def reopen(self, number: int) -> "Trial":
        """A trial that was asked before, maybe by a driver that was killed; it keeps the values that it has."""

    def begin(self, trial: "FrozenTrial") -> "Trial":
        """Add a running trial, which has its values."""

    def others(self) -> "list[FrozenTrial]":
        """Running trials that may be another driver's, by number."""

    def unheld(self) -> list[int]:
        """Trials that are running and that nobody holds now: a driver was killed, or takes them again in a moment."""

    def abandoned(self) -> list[int]:
        """Those that nobody has held for some seconds: what killed drivers left behind."""

    def publish(self, record: Record) -> None:
        """Give a record, which is in the study's folder, to the other drivers; the first of a trial stays."""

    def fetch(self, known: Container[int]) -> list[Record]:
        """Records of other drivers that are not among the known trials, by number; they are then in the folder."""

    def close(self) -> None:
        """Give back everything that is held."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
