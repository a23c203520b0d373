"""Ctrl-C is heard within a second, whatever Python is doing.

A command runs in a process of its own. A conversion in C++, the import of a library, or a thread that must end first
would keep Python from hearing the signal; the process that started it only waits, and ends it when it is late. That
loses nothing: files are written whole, and what is under way goes on from its checkpoint.

Nothing is imported here that takes time.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

EXIT_INTERRUPTED = 130
_PATIENCE_SECONDS = 0.5
_WAITED_FOR = {signal.SIGCHLD, signal.SIGINT, signal.SIGALRM, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
TO_GO_ON = "To go on: "  # in front of a command, which has a line of its own where both are too long for one
_SHOW_CURSOR = "\x1b[?25h"  # a bar that was being drawn had hidden it


class _LastWords(NamedTuple):
    """How a command ends after Ctrl-C."""

    exit_code: int = EXIT_INTERRUPTED
    patience_seconds: float = _PATIENCE_SECONDS
    line: str = "interrupted"


_last_words = _LastWords()
_to_parent: int | None = None


def say_when_interrupted(
    line: str, exit_code: int = EXIT_INTERRUPTED, patience_seconds: float = _PATIENCE_SECONDS
) -> None:
    """What the last line on the screen says after Ctrl-C, from now on, and how the command then ends.

    Args:
        patience_seconds: how long the command may take to end; a second Ctrl-C ends it at once.
    """
    global _last_words
    _last_words = _LastWords(exit_code, patience_seconds, line)
    if _to_parent is not None:
        os.write(_to_parent, f"{exit_code} {patience_seconds} {line}\n".encode(errors="replace"))


def interrupted() -> int:
    """The exit code after a `KeyboardInterrupt`. The line is said by the process that waits, where there is one."""
    if _to_parent is None:
        _say(_last_words.line)
    return _last_words.exit_code


def supervised(run: Callable[[], int]) -> int:
    """Run in a process of its own and wait for it; its exit code.

    Ctrl-C, which a terminal sends to both, is for this process alone; it hands it on as a signal of another number.
    """
    if not hasattr(os, "fork"):
        return run()
    signal.signal(signal.SIGCHLD, lambda *_: None)  # what is ignored is not waited for everywhere
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    said, to_say = os.pipe()
    lives, living = os.pipe()
    child = os.fork()
    if child:
        os.close(to_say)
        os.close(lives)
        return _Waiting(child, said).exit_code()
    try:
        os.close(said)
        os.close(living)
        _prepare(to_say, lives, before)
        code = run()
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # the end of Python's own would show a traceback
    except KeyboardInterrupt:  # there is one signal at most
        code = interrupted()
    sys.exit(code)


def _prepare(to_say: int, lives: int, mask: Iterable[int]) -> None:
    """Hear Ctrl-C from the process that waits, and end when that has ended."""
    global _to_parent
    _to_parent = to_say
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def end_with_parent() -> None:
        os.read(lives, 1)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end_with_parent, name="end with parent", daemon=True).start()
    signal.signal(signal.SIGUSR2, signal.default_int_handler)


class _Waiting:
    """The process that waits for a command's, and for signals: none can come between two of its steps."""

    def __init__(self, child: int, said: int) -> None:
        self._child, self._said = child, said
        self._is_interrupted = False
        self._last_words = _LastWords()

    def exit_code(self) -> int:
        """That of the child; where a signal ended it, this process ends by the same."""
        code = self._end_of_child()
        if self._is_interrupted and code:
            self._hear()
            _say(self._last_words.line)
            return self._last_words.exit_code
        if code < 0:
            with contextlib.suppress(OSError):  # SIGKILL cannot be set
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR)
        return code

    def _end_of_child(self) -> int:
        while True:
            number = signal.sigwait(_WAITED_FOR)
            if number == signal.SIGCHLD:
                ended, status = os.waitpid(self._child, os.WNOHANG)
                if ended:
                    return os.waitstatus_to_exitcode(status)
            elif number == signal.SIGALRM or (number == signal.SIGINT and self._is_interrupted):
                self._end()
            elif number != signal.SIGINT:
                os.kill(self._child, number)
            else:
                self._is_interrupted = True
                os.kill(self._child, signal.SIGUSR2)
                self._hear()
                signal.setitimer(signal.ITIMER_REAL, self._last_words.patience_seconds)
                import psutil  # noqa: F401  # for `_end`, while there is time

    def _end(self) -> None:
        """End the child, which is late, with everything that it has started."""
        import psutil

        try:
            started = psutil.Process(self._child).children(recursive=True)
        except psutil.Error:
            started = []
        os.kill(self._child, signal.SIGKILL)
        for process in started:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _hear(self) -> None:
        """Take what the child has said last."""
        os.set_blocking(self._said, False)
        with contextlib.suppress(BlockingIOError):
            lines = os.read(self._said, 1 << 16).decode(errors="replace").splitlines()
            if lines:
                exit_code, patience, line = lines[-1].split(" ", 2)
                self._last_words = _LastWords(int(exit_code), float(patience), line)


def _say(line: str) -> None:
    is_seen = sys.stderr.isatty()
    if is_seen and len(line) > shutil.get_terminal_size().columns:
        line = line.replace(TO_GO_ON, f"{TO_GO_ON.rstrip()}\n", 1)
    sys.stderr.write(f"{_SHOW_CURSOR * is_seen}\n{line}\n")
    sys.stderr.flush()
