"""A command on another computer by the ``ssh`` program, and what it means when that fails."""

import atexit
import shlex
import shutil
import tempfile
from functools import cache

from archlab.errors import BadInput
from archlab.latency.runner import DeviceGone

CONNECT_SECONDS = 5
FAILED = 255  # ssh's exit code for its own failures

_MEANINGS: list[tuple[str, type[Exception], str]] = [
    ("Host key verification failed", BadInput, "its host key is unknown here or has changed; look at it: ssh {host}"),
    ("Permission denied", BadInput, "refuses the key; let it in: ssh-copy-id {host}"),
    ("Could not resolve hostname", BadInput, "there is no such host; ssh {host} must work without a question"),
    ("Connection refused", DeviceGone, "takes no ssh; on the Mac: System Settings › General › Sharing › Remote Login"),
    ("timed out", DeviceGone, "does not answer; is it awake, and on this network?"),
    ("No route to host", DeviceGone, "does not answer; is it awake, and on this network?"),
]


def ssh_command(host: str, command: list[str]) -> list[str]:
    """The command, run on ``host``; connections are shared, and nothing is ever asked on the terminal."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_SECONDS,
        "ServerAliveInterval": 5,
        "ServerAliveCountMax": 3,
        "ControlMaster": "auto",
        "ControlPath": f"{_control_folder()}/%C",
        "ControlPersist": 60,
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["ssh", "-T", *flags, "--", host, shlex.join(command)]


def ssh_failure(host: str, complaint: str) -> Exception:
    """`BadInput` for what the user can mend here, `DeviceGone` for a computer that may come back."""
    for sign, error, meaning in _MEANINGS:
        if sign in complaint:
            return error(f"{host}: {meaning.format(host=host)}")
    return DeviceGone(f"{host}: the connection was lost: {(complaint.splitlines() or ['ssh does not say why'])[-1]}")


@cache
def _control_folder() -> str:
    """For the sockets of shared connections; under /tmp, because a socket's path has at most 104 characters."""
    folder = tempfile.mkdtemp(prefix="archlab-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
