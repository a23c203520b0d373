"""A study on disk: ``studies/<name>/``."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import yaml

from archlab.document import Document
from archlab.errors import BadInput
from archlab.files import read_json, writable_folder, write_text
from archlab.space.settings import Measurement
from archlab.study.record import Record


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

    def numbers(self) -> list[int]:
        """The trials that have a folder, finished or not."""
        return sorted(int(path.name) for path in self.path.glob("trials/*") if path.name.isdecimal())

    def records(self) -> list[Record]:
        """The finished trials of the study's table, by number: not those that a change of the space left out."""
        left_out = set(self.settings().get("left_out", ()))
        return [record for record in self.all_records() if record.trial not in left_out]

    def all_records(self) -> list[Record]:
        """All finished trials, by number."""
        paths = self.path.glob("trials/*/evaluation.json")
        return sorted((Record.load(path) for path in paths), key=lambda record: record.trial)

    def record(self, number: int) -> Record | None:
        """A finished trial; None if it is not finished."""
        path = self.trial(number) / "evaluation.json"
        return Record.load(path) if path.is_file() else None

    def baseline(self) -> dict[str, Any]:
        """``baseline.json``; empty before the baseline was measured."""
        path = self.path / "baseline.json"
        return read_json(path) if path.is_file() else {}

    def write_baseline(self, facts: dict[str, Any]) -> None:
        """Write ``baseline.json``."""
        write_text(self.path / "baseline.json", json.dumps(facts, indent=2) + "\n")

    def settings(self) -> dict[str, Any]:
        """``study.yaml``.

        Raises:
            BadInput: there is no such study.
        """
        path = self.path / "study.yaml"
        if not path.is_file():
            others = sorted(p.parent.name for p in self.path.parent.glob("*/study.yaml"))
            known = f"; there are: {', '.join(others)}" if others else ""
            raise BadInput(f"no study {self.name!r} in {self.path.parent}{known}")
        settings = Document(path, "it holds a study's settings; restore it").data
        if missing := [key for key in ("uid", "knobs", "objectives", "search", "proxy") if key not in settings]:
            raise BadInput(f"{path}: damaged: {missing[0]} is missing; restore it")
        try:
            return _of_today(settings)
        except (TypeError, ValueError):
            raise BadInput(f"{path}: damaged: measure or constraints cannot be read; restore it") from None

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write ``study.yaml``."""
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, default_flow_style=None, width=150)
        write_text(self.path / "study.yaml", text)

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
            self._mend_journal()
            yield
        finally:
            lock.release()

    def _mend_journal(self) -> None:
        """Drop what a killed run left behind: its lock on the journal and a line half written.

        Raises:
            BadInput: another line is no JSON; Optuna would write on before it noticed.
        """
        for leftover in self.path.glob("journal.log.lock*"):
            with suppress(FileNotFoundError):
                leftover.unlink()
        with suppress(FileNotFoundError), self.journal.open("rb+") as file:
            content = file.read()
            if not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)
                os.fsync(file.fileno())
            for number, line in enumerate(content.splitlines(keepends=True), start=1):
                if line.endswith(b"\n") and not _is_json(line):
                    raise BadInput(
                        f"{self.journal}:{number}: damaged: not a line of Optuna's journal; restore the file, "
                        "or delete it to have it made again from the trials"
                    )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def study_folder(name: str, root: Path) -> StudyFolder:
    """The folder of the study of that name.

    Raises:
        BadInput: the name would lead out of ``root``, or could not be typed.
    """
    if not re.fullmatch(r"\w[\w .+-]{0,99}", name) or name != name.strip():
        raise BadInput(f"a study's name: {name!r} cannot be one; take letters, digits, spaces, - and _")
    return StudyFolder(root / name)


def _of_today(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a study that an older version of archlab wrote, with what it left open of its one device."""
    constraints = dict(settings.get("constraints") or {})
    limits = constraints.get("latency_ms") or []
    constraints["latency_ms"] = [limits] if isinstance(limits, dict) else limits
    measure = [Measurement.model_validate(entry).model_dump(mode="json") for entry in settings.get("measure") or []]
    return {**settings, "measure": measure, "constraints": constraints}
