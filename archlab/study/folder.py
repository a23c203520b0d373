"""A study on disk: ``studies/<name>/``."""

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import yaml

import archlab
from archlab.document import Document
from archlab.errors import BadInput
from archlab.files import writable_folder, write_text
from archlab.space import SearchSpace, label
from archlab.space.settings import Measurement
from archlab.study.record import Record

_MAY_CHANGE = {("search", "trials")}  # more trials of the same study


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

    def trial(self, number: int) -> Path:
        """The folder of one trial."""
        return self.path / "trials" / str(number)

    def records(self) -> list[Record]:
        """All finished trials, by number."""
        paths = self.path.glob("trials/*/evaluation.json")
        return sorted((Record.load(path) for path in paths), key=lambda record: record.trial)

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

    def claim(self, space: SearchSpace) -> dict[str, Any]:
        """Make the folder for ``space``, or check that it was made for it; returns the settings.

        Raises:
            BadInput: it holds a study of another space.
        """
        wanted = resolved(space)
        if not (self.path / "study.yaml").is_file():
            if self.journal.exists():
                raise BadInput(f"{self.path} has a journal and no study.yaml: restore it, or choose another --name")
            settings = {"name": self.name, "uid": secrets.token_hex(8), "archlab": archlab.__version__, **wanted}
        else:
            existing = self.settings()
            differences = list(_differences(existing, wanted))
            if differences:
                raise BadInput(
                    f"{self.path} holds a study of another space: {'; '.join(differences[:3])}"
                    f"{' …' if len(differences) > 3 else ''}. Give this one a name of its own: --name {self.name}2"
                )
            settings = existing | wanted
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, default_flow_style=None, width=150)
        write_text(self.path / "study.yaml", text)
        return settings

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
            raise BadInput(f"{self.path} is in use by another archlab run; wait for it or stop it") from None
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
                        f"{self.journal}:{number}: damaged: not a line of Optuna's journal; restore the file"
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


def resolved(space: SearchSpace) -> dict[str, Any]:
    """Everything a study depends on, defaults included, as plain data."""
    settings = space.settings.model_dump(mode="json")
    settings["knobs"] = {
        name: {
            "values": [label(value) for value in domain.values],
            **({"range": True} if domain.ordered else {}),
            **(
                {"when": {other: [label(v) for v in wanted] for other, wanted in domain.when.items()}}
                if domain.when
                else {}
            ),
        }
        for name, domain in space.knobs.items()
    }
    return {**settings, "baseline_architecture": _plain(space.baseline.to_dict())}


def _of_today(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a study that an older version of archlab wrote, with what it left open of its one device."""
    constraints = dict(settings.get("constraints") or {})
    limits = constraints.get("latency_ms") or []
    constraints["latency_ms"] = [limits] if isinstance(limits, dict) else limits
    measure = [Measurement.model_validate(entry).model_dump(mode="json") for entry in settings.get("measure") or []]
    return {**settings, "measure": measure, "constraints": constraints}


def _plain(value: Any) -> Any:
    """Tuples as lists, as YAML gives them back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _differences(old: Any, new: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    if place in _MAY_CHANGE:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in new if not place else old | new:
            yield from _differences(old.get(key), new.get(key), (*place, str(key)))
    elif place[:1] == ("baseline_architecture",) and old != new:
        yield "the baseline's architecture"
    elif old != new:
        yield f"{'.'.join(place)} was {_short(old)} and is {_short(new)}"


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
