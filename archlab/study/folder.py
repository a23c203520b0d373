"""A study on disk: ``studies/<name>/``."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from archlab.document import Document
from archlab.errors import BadInput, shown
from archlab.evaluation import Baseline, Confirmation, Record
from archlab.evaluation.fact import read_fact, write_fact
from archlab.files import writable_folder, write_text
from archlab.studies import check_study
from archlab.study.journal_lines import mend_journal
from archlab.study.saved import SavedStudy, load_saved, to_yaml


class StudyFolder:
    """Paths and files of one study. It decides nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The study's name."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """Optuna's journal."""
        return self.path / "journal.log"

    @property
    def exists(self) -> bool:
        """Whether it holds a study.

        Raises:
            BadInput: it holds a part of one.
        """
        is_there = (self.path / "study.yaml").is_file()
        if not is_there and self.journal.exists():
            raise BadInput(f"{self.path} has a journal and no study.yaml: restore it, or choose another --name")
        return is_there

    def trial(self, number: int) -> Path:
        """The folder of one trial."""
        return self.path / "trials" / str(number)

    def discard_training(self, number: int) -> None:
        """Delete the state that a trial's training would go on from."""
        for path in self.trial(number).glob("training-*.safetensors"):
            path.unlink(missing_ok=True)

    def numbers(self) -> list[int]:
        """The trials that have a folder, finished or not."""
        return sorted(int(path.name) for path in self.path.glob("trials/*") if path.name.isdecimal())

    def records(self) -> list[Record]:
        """The finished trials of the study's table, by number: not those that a change of the space left out."""
        left_out = set(self.settings().left_out)
        return [record for record in self.all_records() if record.trial not in left_out]

    def all_records(self) -> list[Record]:
        """All finished trials, by number."""
        paths = self.path.glob("trials/*/evaluation.json")
        return sorted((Record.load(path) for path in paths), key=lambda record: record.trial)

    def record(self, number: int) -> Record | None:
        """A finished trial; None if it is not finished."""
        path = self.trial(number) / "evaluation.json"
        return Record.load(path) if path.is_file() else None

    def baseline(self) -> Baseline | None:
        """``baseline.json``; None before the baseline was measured.

        Raises:
            BadInput: somebody damaged it.
        """
        path = self.path / "baseline.json"
        return read_fact(Baseline, path) if path.is_file() else None

    def write_baseline(self, baseline: Baseline) -> None:
        """Write ``baseline.json``."""
        write_fact(baseline, self.path / "baseline.json")

    def confirmation(self) -> Confirmation:
        """``confirmation.json``; an empty one before anything was measured side by side.

        Raises:
            BadInput: somebody damaged it.
        """
        path = self.path / "confirmation.json"
        return read_fact(Confirmation, path) if path.is_file() else Confirmation()

    def write_confirmation(self, confirmation: Confirmation) -> None:
        """Write ``confirmation.json``."""
        write_fact(confirmation, self.path / "confirmation.json")

    def settings(self) -> SavedStudy:
        """``study.yaml``; of a folder that was copied or renamed, under the folder's name and a ``uid`` of its own.

        Raises:
            BadInput: there is no such study, or somebody damaged it.
        """
        check_study(self.name, self.path.parent)
        settings = load_saved(Document(self.path / "study.yaml", "it holds a study's settings; restore it"))
        if settings.name == self.name:
            return settings
        uid = hashlib.sha256(f"{settings.uid} {self.name}".encode()).hexdigest()[:16]
        return settings.model_copy(update={"name": self.name, "uid": uid})

    def write_settings(self, settings: SavedStudy) -> None:
        """Write ``study.yaml``."""
        write_text(self.path / "study.yaml", to_yaml(settings))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the study for this process; the lock ends with the process, however it ends.

        Raises:
            BadInput: another run holds it, or the folder cannot be written.
        """
        writable_folder(self.path)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise BadInput(
                f"{self.path} is in use by another archlab run; wait for it or stop it. "
                "Several runs share a study through a database: --storage postgresql://…"
            ) from None
        try:
            mend_journal(self.journal)
            yield
        finally:
            lock.release()


def study_folder(name: str, root: Path) -> StudyFolder:
    """The folder of the study of that name.

    Raises:
        BadInput: the name would lead out of ``root``, or could not be typed.
    """
    if not re.fullmatch(r"\w[\w .+-]{0,99}", name) or name != name.strip():
        raise BadInput(f"a study's name: {shown(name)} cannot be one; take letters, digits, spaces, - and _")
    return StudyFolder(root / name)
