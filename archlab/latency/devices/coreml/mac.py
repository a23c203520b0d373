"""Where Core ML runs: this computer, or a Mac that the ``ssh`` program reaches."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from archlab.errors import BadInput, RunFailed, shown
from archlab.json_text import parse_json
from archlab.latency.artifact import Artifact
from archlab.latency.devices.coreml import agent
from archlab.latency.devices.coreml.answers import Report
from archlab.latency.devices.coreml.ssh import FAILED, ssh_command, ssh_failure
from archlab.latency.runner import DeviceGone

_AGENT = Path(agent.__file__)
_SENT = ("model.mlpackage", "inputs.npz")
_SECONDS_TO_COPY = 3600.0
_SECONDS_TO_ANSWER = 30.0
_NO_SUCH_COMMAND = 127  # a shell's exit code

MACS_MEND = "write it for HOST; those in ARCHLAB_MACS='HOST …' are listed here"

Send = Callable[[IO[bytes]], None]


def named_on_macs(kind: str) -> list[str]:
    """A kind of device on this computer and on every Mac in ``$ARCHLAB_MACS``."""
    return [kind, *(f"{kind}@{host}" for host in os.environ.get("ARCHLAB_MACS", "").split())]


class Mac:
    """Asks the agent, see `archlab.latency.devices.coreml.agent`: in a process here, or over ssh on ``host``.

    ``host`` is whatever ``ssh`` takes; its configuration, keys and agent are used. Python there is
    ``$ARCHLAB_MAC_PYTHON``, by default ``python3``.
    """

    def __init__(self, host: str | None = None) -> None:
        if host is not None and (not host or host.startswith("-")):
            raise BadInput(
                f"{shown(host)}: no name of a Mac; coreml@HOST takes what ssh takes, for instance me@studio.local"
            )
        self.host = host
        self.name = host or "this computer"

    def check(self, *, devices: bool = False) -> dict[str, Any]:
        """What the Mac has and how it is, see `agent.check`. Raises as `measure` does."""
        return self._ask("check", *(["devices"] if devices else []), timeout_s=_SECONDS_TO_ANSWER)

    def measure(self, artifact: Artifact, job: dict[str, Any]) -> Report:
        """Copy the model there unless it is there already, and do the job.

        Raises:
            BadInput: ssh is refused, or there is no such host or no Python.
            DeviceGone: the Mac does not answer, is busy, or vanished in the middle.
            RunFailed: the agent gave up; the message has its reason.
        """
        line = json.dumps({**job, "folder": self._folder_of(artifact)}).encode() + b"\n"
        timeout_s = 2 * job["timeout_s"] + _SECONDS_TO_ANSWER  # as long again is spent in the queue at most
        return Report.of(self._ask("measure", send=lambda stream: _write(stream, line), timeout_s=timeout_s))

    def _folder_of(self, artifact: Artifact) -> str:
        if self.host is None:
            return str(artifact.folder)
        content = agent.content_hash(artifact.folder, _SENT)
        answer = self._ask("held", content, timeout_s=_SECONDS_TO_ANSWER)
        if answer["folder"] is None:
            answer = self._ask(
                "receive", content, send=lambda stream: _write_archive(stream, artifact), timeout_s=_SECONDS_TO_COPY
            )
        return str(answer["folder"])

    def _ask(self, *arguments: str, timeout_s: float, send: Send | None = None) -> dict[str, Any]:
        code, said, complaint = self._run([*self._agent, *arguments], timeout_s, send)
        last = (said.splitlines() or [""])[-1]  # a shell's start-up file may have said something first
        if not last.startswith("{"):
            raise self._failure(code, complaint)
        try:
            answer: dict[str, Any] = parse_json(last)
        except ValueError as error:
            raise RunFailed(f"{self.name}: answers what is no JSON: {error}") from None
        if "error" in answer:
            raise (DeviceGone if answer["kind"] == "gone" else RunFailed)(f"{self.name}: {answer['error']}")
        return answer

    @cached_property
    def _agent(self) -> list[str]:
        """The command that runs the agent, which is put there first."""
        if self.host is None:
            return [sys.executable, str(_AGENT)]
        python = os.environ.get("ARCHLAB_MAC_PYTHON", "python3").removeprefix("~/")  # ssh begins in the home folder
        source = _AGENT.read_bytes()
        path = f"{agent.FOLDER}/agent-{agent.content_hash(_AGENT.parent, (_AGENT.name,))[:12]}.py"
        put = ["sh", "-c", _PUT, "sh", path, str(len(source))]
        code, _, complaint = self._run(put, _SECONDS_TO_ANSWER, lambda stream: _write(stream, source))
        if code:
            raise self._failure(code, complaint)
        return [python, path]

    def _run(self, command: list[str], timeout_s: float, send: Send | None) -> tuple[int, str, str]:
        """Exit code, output and complaints. The standard input stays open until the command ends."""
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaint:
            whole = ssh_command(self.host, command) if self.host else command
            safe = {**os.environ, "PYTHONSAFEPATH": "1"}  # run here, the agent has this folder's modules beside it
            try:
                process = subprocess.Popen(whole, stdin=subprocess.PIPE, stdout=said, stderr=complaint, env=safe)
            except FileNotFoundError:
                raise BadInput("the ssh program is not installed; apt install openssh-client") from None
            try:
                if send is not None and process.stdin is not None:
                    send(process.stdin)
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                raise DeviceGone(f"{self.name}: no answer after {timeout_s:.0f} s") from None
            finally:
                _end(process)
            texts = []
            for file in (said, complaint):
                file.seek(0)
                texts.append(file.read().decode(errors="replace").strip())
            return code, texts[0], texts[1]

    def _failure(self, code: int, complaint: str) -> Exception:
        """What it means that there is no answer."""
        last = complaint.splitlines()[-1].strip() if complaint else f"exit code {code}"
        if "No space left on device" in complaint:
            return RunFailed(f"{self.name}: its disk is full")
        if self.host is not None and code == FAILED:
            return ssh_failure(self.host, complaint)
        if code == _NO_SUCH_COMMAND:
            return BadInput(f"{self.name}: {last}; set ARCHLAB_MAC_PYTHON to a Python there that has coremltools")
        return RunFailed(f"{self.name}: the agent failed: {last}")


# Waits for as many bytes as were announced: a connection that broke leaves no agent behind. $1: path, $2: bytes.
_PUT = (
    'test -f "$1" || { mkdir -p "$(dirname "$1")" && head -c "$2" >"$1.$$" && '
    'test $(wc -c <"$1.$$") -eq "$2" && mv "$1.$$" "$1"; }'
)


def _write(stream: IO[bytes], content: bytes) -> None:
    with suppress(BrokenPipeError):  # whoever does not listen says why
        stream.write(content)
        stream.flush()


def _write_archive(stream: IO[bytes], artifact: Artifact) -> None:
    with suppress(BrokenPipeError):
        with tarfile.open(fileobj=stream, mode="w|") as archive:
            for path in agent.files(artifact.folder, _SENT):
                archive.add(path, path.relative_to(artifact.folder).as_posix())
        stream.flush()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The end of its input is the sign to stop."""
    with suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
