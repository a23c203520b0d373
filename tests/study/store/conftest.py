"""Stores of a study, and PostgreSQL for the tests that share one through it."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from archlab.study.definition import StudyDefinition
from archlab.study.folder import StudyFolder
from archlab.study.store import Store, open_store
from tests.study.store.contract import Opener
from tests.study.store.server import Server, find_program

GRACE_SECONDS = 0.5


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    if not find_program("initdb"):
        is_expected = sys.platform == "linux" and os.environ.get("CI")
        (pytest.fail if is_expected else pytest.skip)("PostgreSQL is not installed: apt install postgresql")
    server = Server()
    yield server
    server.remove()


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "studies" / "mini")


@pytest.fixture
def open_here(folder: StudyFolder, definition: StudyDefinition, url: str | None) -> Iterator[Opener]:
    """Opens stores that are closed when the test ends."""
    with ExitStack() as opened:

        def opener(
            of: StudyDefinition = definition, place: StudyFolder = folder, said: list[str] | None = None
        ) -> Store:
            say = (said if said is not None else []).append
            return opened.enter_context(open_store(of, place, url, say, grace_seconds=GRACE_SECONDS))

        yield opener
