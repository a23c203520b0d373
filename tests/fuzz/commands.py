"""Commands in this process: what each said, how long it took, and whether it ended as commands do."""

import contextlib
import io
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from archlab.cli import main

CLEAN_CODES = (0, 1, 2)  # well, a failed run, bad input
MOST_SECONDS = 10.0
MOST_MB = 2000.0
_HANGS_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        seconds: of the processor, which do not depend on what else the computer does; one that waits is ended.
        peak_mb: the most that the process took meanwhile, or 0 where the system does not tell.
        said: on the standard error; or the traceback of what was not said in one line.
    """

    command: str
    code: int
    seconds: float
    peak_mb: float
    said: str

    @property
    def is_clean(self) -> bool:
        """Whether it ended as commands do: soon, with an exit code of its own, and an error in one line."""
        lines = [line for line in self.said.splitlines() if line.startswith("archlab: ")]
        is_said = self.code in CLEAN_CODES and "Traceback" not in self.said and len(lines) == (self.code != 0)
        return is_said and self.seconds <= MOST_SECONDS and self.peak_mb <= MOST_MB


class Hangs(BaseException):
    """A command takes so long that it is ended."""


def run(arguments: Sequence[str]) -> Outcome:
    """Run one command here; whatever it raises is its outcome."""
    said, before, started = io.StringIO(), sys.argv, time.process_time()
    sys.argv = ["archlab", *arguments]
    _forget_peak()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said), _ended_when_it_hangs():
            code = main.run()
    except BaseException:
        code = -1
        said.write(traceback.format_exc())
    finally:
        sys.argv = before
    return Outcome(" ".join(arguments), code, time.process_time() - started, _peak_mb(), said.getvalue())


@contextlib.contextmanager
def put_back(path: Path) -> Iterator[None]:
    """The file or folder is as it was when the block ends."""
    backup = path.parent.parent / f"{path.name}-as-it-was"
    is_file = path.is_file()
    if is_file:
        shutil.copyfile(path, backup)
    else:
        shutil.copytree(path, backup)
    try:
        yield
    finally:
        if not is_file:
            shutil.rmtree(path, ignore_errors=True)
        backup.replace(path)


@contextlib.contextmanager
def _ended_when_it_hangs() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise Hangs(f"no end after {_HANGS_SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, _HANGS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak is then what it is now


def _peak_mb() -> float:
    with contextlib.suppress(OSError, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))
    return 0.0
