"""A study of one driver at a time: Optuna's journal in the study's folder."""

import json
import math
import os
import time
from collections.abc import Container, Generator
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from threading import Event
from types import TracebackType
from typing import Any, Self

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from archlab.evaluation import Record
from archlab.evaluation.measures import direction
from archlab.study.compatibility import open_folder
from archlab.study.definition import StudyDefinition
from archlab.study.disk import Disk
from archlab.study.folder import StudyFolder
from archlab.study.journal_lines import damaged_journal
from archlab.study.saved import SavedStudy
from archlab.study.store.contract import Say
from archlab.study.store.rebuild import begun, open_optuna, optuna_name, rebuild, reopened

_SYNC_SECONDS = 1.0


class JournalStore:
    """See `archlab.study.store.Store`. Who has the folder has every trial."""

    def __init__(self, definition: StudyDefinition, folder: StudyFolder, say: Say, disk: Disk) -> None:
        with ExitStack() as opened:
            opened.enter_context(folder.locked())
            settings = open_folder(folder, definition, say)
            journal = _Journal(folder, say, disk)
            opened.callback(journal.closed.set)
            self._storage = journal.replayed()
            _check(self._storage, settings, folder)
            self.optuna = open_optuna(self._storage, settings)
            rebuild(self.optuna, definition, folder)
            running = self.optuna.get_trials(deepcopy=False, states=[TrialState.RUNNING])
            self._left_behind = {trial.number: trial for trial in running}
            self._opened = opened.pop_all()

    def asking(self) -> AbstractContextManager[None]:
        """Nobody else asks."""
        return nullcontext()

    def lease(self, number: int) -> bool:
        """Nobody else takes it."""
        self._left_behind.pop(number, None)
        return True

    def release(self, number: int) -> None:
        """Nobody else waits for it."""

    def reopen(self, number: int) -> optuna.Trial:
        """See `Store`."""
        return reopened(self.optuna, self._storage, number)

    def begin(self, trial: FrozenTrial) -> optuna.Trial:
        """See `Store`."""
        return begun(self.optuna, self._storage, trial)

    def others(self) -> list[FrozenTrial]:
        """What an earlier driver left behind."""
        return list(self._left_behind.values())

    def unheld(self) -> list[int]:
        """The same."""
        return list(self._left_behind)

    def abandoned(self) -> list[int]:
        """The same."""
        return list(self._left_behind)

    def publish(self, record: Record) -> None:
        """The folder has it."""

    def fetch(self, known: Container[int]) -> list[Record]:
        """There are no other drivers."""
        return []

    def close(self) -> None:
        """Give the folder back."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Journal(JournalFileBackend):
    """Optuna's journal, which waits for room on the disk; what a full one took of a line is taken back.

    Whoever has the folder is alone with it, so that no line needs a lock. A line outlives this process once it is
    written, and the computer's power within `_SYNC_SECONDS`; records that come without their lines are told anew.
    """

    def __init__(self, folder: StudyFolder, say: Say, disk: Disk) -> None:
        super().__init__(str(folder.journal))
        self._folder, self._say, self._disk = folder, say, disk
        self._line = 0
        self._synced = -math.inf
        self.closed = Event()

    def replayed(self) -> JournalStorage:
        """The storage that the journal's lines make.

        Raises:
            BadInput: Optuna cannot make sense of one.
        """
        try:
            return JournalStorage(self)
        except (OSError, MemoryError):
            raise
        except Exception:  # whatever Optuna raises while it reads what somebody edited
            raise damaged_journal(self._folder.journal, self._line) from None

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """See Optuna; notes which line is read."""
        for self._line, log in enumerate(super().read_logs(log_number_from), start=log_number_from + 1):
            yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append whole lines, when there is room for them; a worker's thread does not wait longer than the driver."""
        self._disk.write(partial(self._append, logs), self._folder.path, self._say, self._sleep)

    def _sleep(self, seconds: float) -> None:
        if self.closed.wait(seconds):
            raise CancelledError

    def _append(self, logs: list[dict[str, Any]]) -> None:
        journal, now = self._folder.journal, time.monotonic()
        size = journal.stat().st_size
        try:
            with journal.open("ab") as file:
                file.write(b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs))
                file.flush()
                if now - self._synced >= _SYNC_SECONDS:
                    os.fsync(file)
                    self._synced = now
        except OSError:
            os.truncate(journal, size)
            raise


def _check(storage: JournalStorage, settings: SavedStudy, folder: StudyFolder) -> None:
    """Refuse what no study of these settings has.

    Raises:
        BadInput: objectives, or a trial's state, values or parameters were edited.
    """
    wanted = [direction(name) for name in settings.objectives]
    for study in storage.get_all_studies():
        directions = [each.name.lower() for each in study.directions]
        if study.study_name == optuna_name(settings) and directions != wanted:
            raise damaged_journal(folder.journal, None, f"its study is not one of {', '.join(settings.objectives)}")
        for trial in storage.get_all_trials(storage.get_study_id_from_name(study.study_name), deepcopy=False):
            if not _is_whole(trial, len(directions)):
                raise damaged_journal(folder.journal, None, f"trial {trial.number} cannot be as it says")


def _is_whole(trial: FrozenTrial, objectives: int) -> bool:
    """Whether Optuna would make such a trial."""
    values = trial.values or []
    try:
        create_trial(state=trial.state, values=trial.values, params=trial.params, distributions=trial.distributions)
    except Exception:  # whatever Optuna raises about what somebody edited
        return False
    return len(values) in (0, objectives) and all(isinstance(value, (int, float)) for value in values)
