"""The lines of Optuna's journal, before Optuna reads them: what a killed run left half written, what is damaged."""

import os
from contextlib import suppress
from pathlib import Path

from archlab.errors import BadInput
from archlab.json_text import parse_json

_CREATE_TRIAL = 4  # Optuna's operation; its time is exact to the microsecond


def mend_journal(journal: Path) -> None:
    """Drop what a killed run left behind: its lock on the journal and a line half written.

    Raises:
        BadInput: a line is none of Optuna's, or the journal has its lines twice.
    """
    for leftover in journal.parent.glob(f"{journal.name}.lock*"):
        with suppress(FileNotFoundError):
            leftover.unlink()
    if not journal.exists():
        return
    with journal.open("rb+") as file:
        *lines, half = file.read().split(b"\n")
        if half:
            file.seek(-len(half), os.SEEK_END)
            file.truncate()
            os.fsync(file.fileno())
    created = set()
    for number, line in enumerate(lines, start=1):
        record = _record(line)
        if record is None:
            raise damaged_journal(journal, number)
        if record["op_code"] == _CREATE_TRIAL and record.get("datetime_start"):
            if line in created:
                raise damaged_journal(journal, number, "a trial of the lines before begins here once more")
            created.add(line)


def damaged_journal(journal: Path, line: int | None, what: str = "not a line of Optuna's journal") -> BadInput:
    """The error to raise about a line, or about the whole."""
    where = journal if line is None else f"{journal}:{line}"
    return BadInput(f"{where}: damaged: {what}; restore the file, or delete it to have it made again from the trials")


def _record(line: bytes) -> dict[str, object] | None:
    try:
        record = parse_json(line)
    except ValueError:
        return None
    is_one = isinstance(record, dict) and isinstance(record.get("op_code"), int) and "worker_id" in record
    return record if is_one else None
