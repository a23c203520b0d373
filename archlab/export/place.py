"""Where an export lies: a folder that is written whole or not at all, with a card."""

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archlab.errors import BadInput, RunFailed
from archlab.files import atomic_folder
from archlab.model.folder import is_model

CARD, FACTS = "card.md", "card.json"


@contextmanager
def export_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place ``out`` when the block ends without an error.

    An older export at that place is replaced.

    Raises:
        BadInput: ``out`` is something else than an export, or cannot be written.
        RunFailed: the disk is full.
    """
    if out.exists() and not _is_export(out):
        raise BadInput(f"{out}: exists and is not an export; name another folder with --out")
    try:
        with atomic_folder(out) as folder:
            yield folder
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise RunFailed(f"{out}: the disk is full; nothing was written") from error
        raise BadInput(f"{out}: cannot be written ({error.strerror})") from error


def _is_export(folder: Path) -> bool:
    """A model's folder has such cards, too."""
    return (folder / CARD).is_file() and (folder / FACTS).is_file() and not is_model(folder)


def write_card(folder: Path, facts: Mapping[str, Any], text: str) -> None:
    """What is known of the export: for programs, and as Markdown for people."""
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(text, encoding="utf-8")
