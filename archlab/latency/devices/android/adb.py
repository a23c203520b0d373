"""The ``adb`` executable: which phones are attached, commands and files on one of them."""

import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from archlab.errors import BadInput, RunFailed
from archlab.latency.runner import DeviceGone

PHONE_FOLDER = "/data/local/tmp/archlab"
INSTALL = "apt-get install adb, or take Android's platform-tools"
CONNECT = "connect a phone with USB debugging on (Settings > Developer options), or run: adb connect HOST:PORT"

_EXIT = "archlab exit "
_LIST_S = 10.0
_ANSWER_S = 30.0
_PUSH_MB_PER_S = 1.0  # the slowest that is waited for

_UNTRUSTED = "does not trust this computer; unlock it and accept 'Allow USB debugging'"
_UNUSABLE = {
    "unauthorized": _UNTRUSTED,
    "authorizing": _UNTRUSTED,
    "offline": "is offline; reconnect it, or run: adb reconnect offline",
    "no permissions": "may not be opened by this user; see https://developer.android.com/tools/device, 'udev'",
}


class PhoneFull(RunFailed):
    """There is no room for a file on the phone."""


class Answer(NamedTuple):
    """What a command on the phone printed, on both streams, and its exit code."""

    code: int
    text: str


def has_adb() -> bool:
    """Whether the executable is there."""
    return shutil.which("adb") is not None


def attached() -> dict[str, str]:
    """The state of every attached phone by its serial: ``device`` when it can be used.

    Raises:
        BadInput: adb is not installed or its server does not run.
        DeviceGone: adb gives no answer.
    """
    answer = _adb(["devices"], _LIST_S)
    if answer.code:
        raise BadInput(f"adb devices: {_first_line(answer.text)}")
    rows = (line.split("\t", 1) for line in answer.text.splitlines() if "\t" in line)
    return {serial: state.strip() for serial, state in rows}


def attached_phone(serial: str | None) -> "Phone":
    """The phone with that serial; without one, the only phone attached.

    Raises:
        BadInput: it is not attached or cannot be used, or there are several and no serial.
    """
    states = attached()
    if serial is None:
        if not states:
            raise BadInput(f"no Android phone is attached; {CONNECT}")
        if len(states) > 1:
            raise BadInput(f"several Android phones are attached; name one: {_names(states)}")
        (serial,) = states
    if serial not in states:
        raise BadInput(f"no Android phone {serial!r} is attached; attached: {_names(states) or 'none'}")
    if states[serial] != "device":
        wrong = next((text for state, text in _UNUSABLE.items() if states[serial].startswith(state)), None)
        raise BadInput(f"the Android phone {serial!r} {wrong or f'cannot be used: its state is {states[serial]!r}'}")
    return Phone(serial)


@dataclass(frozen=True, slots=True)
class Phone:
    """An attached phone. Whatever is asked of it raises `DeviceGone` when it vanishes."""

    serial: str

    def shell(self, command: str, timeout_s: float = _ANSWER_S) -> Answer:
        """Run a command line in the phone's shell.

        The exit code is printed by the phone: adb's own is 0 for a connection that broke.
        """
        code, text = _adb(["-s", self.serial, "shell", f"({command}) 2>&1; echo {_EXIT}$?"], timeout_s)
        printed, marker, exit_code = text.rpartition(_EXIT)
        if not marker:
            raise self._gone(text if code else "")
        return Answer(int(exit_code), printed)

    def place(self, local: Path, remote: str) -> None:
        """Copy a file to ``remote``, whole or not at all, unless it is there: its name must tell its content.

        Raises:
            PhoneFull: there is no room.
            RunFailed: it cannot be copied for another reason.
        """
        if self.shell(f"test -e {shlex.quote(remote)}").code == 0:
            return
        partial = f"{remote}.partial"
        try:
            self._push(local, partial)
            moved = self.shell(f"mv {shlex.quote(partial)} {shlex.quote(remote)}")
            if moved.code:
                raise RunFailed(
                    f"cannot write {remote} on the Android phone {self.serial!r}: {_first_line(moved.text)}"
                )
        except RunFailed:
            with suppress(RunFailed):
                self.shell(f"rm -f {shlex.quote(partial)}")
            raise

    def _push(self, local: Path, remote: str) -> None:
        size_mb = local.stat().st_size / 1e6
        code, text = _adb(["-s", self.serial, "push", str(local), remote], _ANSWER_S + size_mb / _PUSH_MB_PER_S)
        if "No space left" in text:
            raise PhoneFull(f"the Android phone {self.serial!r} has no room for {size_mb:,.1f} MB in {PHONE_FOLDER}")
        if code:
            self.shell("true")
            raise RunFailed(f"cannot copy to the Android phone {self.serial!r}: {_first_line(text)}")

    @contextmanager
    def lock(self, timeout_s: float) -> Iterator[None]:
        """Keep every other archlab off the phone, also one on another computer.

        The phone's kernel holds the lock for a shell that ends with this connection: nothing stays behind.

        Raises:
            RunFailed: the others did not finish in time.
        """
        folder = shlex.quote(PHONE_FOLDER)
        command = f"mkdir -p {folder} && ( flock 9 && echo locked && cat ) 9>{folder}/lock"
        holder = subprocess.Popen(
            ["adb", "-s", self.serial, "shell", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        patience = threading.Timer(timeout_s, holder.kill)
        patience.start()
        try:
            answer = holder.stdout.readline().strip() if holder.stdout else ""
            waited_long = not patience.is_alive()
            patience.cancel()
            if answer != "locked":
                self.shell("true")
                why = f"another archlab uses it for more than {timeout_s:.0f} s" if waited_long else answer
                raise RunFailed(f"cannot lock the Android phone {self.serial!r}: {why}")
            yield
        finally:
            patience.cancel()
            holder.kill()
            holder.communicate()

    def _gone(self, text: str) -> DeviceGone:
        reason = f": {_first_line(text)}" if text else ""
        return DeviceGone(f"the Android phone {self.serial!r} vanished{reason}")


def _adb(arguments: list[str], timeout_s: float) -> Answer:
    try:
        done = subprocess.run(
            ["adb", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise BadInput(f"adb is not installed: {INSTALL}") from None
    except subprocess.TimeoutExpired:
        raise DeviceGone(f"adb gave no answer for {timeout_s:.0f} s") from None
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"))


def _names(states: dict[str, str]) -> str:
    return ", ".join(f"android:{serial}" for serial in states)


def _first_line(text: str) -> str:
    return next(
        (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("* ")), "no reason given"
    )
