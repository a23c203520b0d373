"""A terminal of which a test sees the screen: a command in a pty of its own, and what its output leaves to be read."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

_TOKEN = re.compile(r"\x1b\[[0-9;?]*([A-Za-z])|(.)", flags=re.DOTALL)


class Terminal:
    """A command and its screen; it is in front of the terminal, so that Ctrl-C reaches it."""

    def __init__(self, command: Sequence[str], columns: int, folder: Path) -> None:
        self.columns, self.written = columns, b""
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment | {"TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def press_ctrl_c_at(self, words: str, seconds: float = 120) -> None:
        """Once the words were written."""
        deadline = time.monotonic() + seconds
        while words.encode() not in self.written:
            assert time.monotonic() < deadline, self.screen
            assert self._read(), self.screen
        os.write(self._mine, b"\x03")

    def exit_code(self) -> int:
        """When it has ended."""
        while self._read():
            pass
        return self._process.wait(60)

    @property
    def screen(self) -> list[str]:
        """The lines that are to be read, from the first one on, as a terminal lays out what was written."""
        lines, row, column = [""], 0, 0
        for token in _TOKEN.finditer(self.written.decode(errors="replace")):
            match token.group(1) or token.group(2):
                case "A" if token.group(1):
                    row = max(0, row - 1)
                case "K" if token.group(1):
                    lines[row] = ""
                case "\r":
                    column = 0
                case "\n":
                    row += 1
                case letter if token.group(2):
                    if column == self.columns:
                        row, column = row + 1, 0
                    lines += [""] * (row + 1 - len(lines))
                    lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
                    column += 1
            lines += [""] * (row + 1 - len(lines))
        return [line.rstrip() for line in lines]

    def _read(self) -> bool:
        try:
            more = os.read(self._mine, 1 << 16)
        except OSError:  # it has closed the terminal
            return False
        self.written += more
        return bool(more)
