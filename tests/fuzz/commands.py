"""The commands that read a study, in this process: what each said, and whether it ended as commands do."""

import contextlib
import io
import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archlab.cli import main

CLEAN_CODES = (0, 1, 2)  # well, a failed run, bad input
COMMANDS = (
    ["report", "mini"],
    ["study", "mini.yaml", "--wandb", "disabled"],
    ["export", "mini", "--out", "export"],
    ["profile", "mini:0"],
    ["compare", "mini", "other"],
)


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        said: on the standard error; or the traceback of what was not said in one line.
    """

    command: str
    code: int
    seconds: float
    said: str

    @property
    def is_clean(self) -> bool:
        """Whether it ended as commands do: with an exit code of its own, and an error in one line."""
        lines = [line for line in self.said.splitlines() if line.startswith("archlab: ")]
        return self.code in CLEAN_CODES and "Traceback" not in self.said and len(lines) == (self.code != 0)


def run(arguments: Sequence[str]) -> Outcome:
    """Run one command here; whatever it raises is its outcome."""
    said, before, started = io.StringIO(), sys.argv, time.monotonic()
    sys.argv = ["archlab", *arguments]
    code = 0
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            code = main.run()
    except BaseException:
        code = -1
        said.write(traceback.format_exc())
    finally:
        sys.argv = before
    return Outcome(" ".join(arguments), code, time.monotonic() - started, said.getvalue())


@contextlib.contextmanager
def put_back(study: Path) -> Iterator[None]:
    """The folder is as it was when the block ends."""
    backup = study.parent.parent / f"{study.name}-as-it-was"
    shutil.copytree(study, backup)
    try:
        yield
    finally:
        shutil.rmtree(study, ignore_errors=True)
        backup.rename(study)
