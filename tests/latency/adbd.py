"""A stand-in for the daemon on an Android phone: speaks adb's wire protocol over TCP to the real ``adb``.

Its "phone" is a folder on this computer: ``/data`` and ``/sys`` in commands and file names lead into it, its ``bin``
has Android's own commands. The protocol: https://android.googlesource.com/platform/packages/modules/adb, docs/dev.
"""

import contextlib
import os
import queue
import re
import signal
import socket
import struct
import subprocess
import threading
from pathlib import Path

_HEADER = struct.Struct("<4s5I")
_BANNER = b"device::ro.product.name=standin;ro.product.model=Stand-in;ro.product.device=standin;features=shell_v2,cmd\0"
_STDIN, _OUTPUT, _EXIT, _CLOSE_STDIN = 0, 1, 3, 4


class Adbd:
    """Listens on 127.0.0.1 until `kill`; every stream has a thread.

    Attributes:
        trusts: whether this computer's key is accepted.
        capacity: bytes that fit under the phone's ``/data``.
        dies_at: the daemon is killed as soon as a command with this text has started.
        commands: every command line so far.
        pushed: every file that was copied whole.
    """

    def __init__(self, root: Path, trusts: bool = True) -> None:
        self.root = root
        self.trusts = trusts
        self.capacity = 10**9
        self.dies_at: str | None = None
        self.commands: list[str] = []
        self.pushed: list[str] = []
        self._sockets: list[socket.socket] = []
        self._children: list[subprocess.Popen[bytes]] = []
        for folder in ("answers", "bin", "data/local/tmp", "sys"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        self.plug_in(port=0)

    def answer(self, command: str, text: str) -> None:
        """Let a command of the phone, with these arguments, print this."""
        (self.root / "answers" / command).write_text(text)
        script = f'#!/bin/sh\ncat "{self.root}/answers/$(echo $(basename $0) $*)" 2>/dev/null || echo "not found: $*"\n'
        self.install(command.split()[0], script)

    def install(self, name: str, script: str) -> None:
        """Put a program among the phone's own."""
        path = self.root / "bin" / name
        path.write_text(script)
        path.chmod(0o755)

    def local(self, path: str) -> str:
        """A path, or a command line with paths, of the phone as one of this computer."""
        return re.sub(r"(?<![\w/])/(data|sys)/", rf"{self.root}/\1/", path)

    def plug_in(self, port: int | None = None) -> None:
        """Listen, after `kill` on the same port again, and let ``adb`` connect."""
        self._listener = socket.create_server(("127.0.0.1", self._port if port is None else port))
        self._port = self._listener.getsockname()[1]
        self.serial = f"127.0.0.1:{self._port}"
        threading.Thread(target=self._accept, daemon=True).start()
        for command in ("disconnect", "connect"):
            subprocess.run(["adb", command, self.serial], check=False, capture_output=True)

    def kill(self) -> None:
        """Pull the cable: every connection ends, and what runs on the phone with it."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        for connection in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._sockets.append(connection)
                threading.Thread(target=_Transport(self, connection).serve, daemon=True).start()

    def run(self, command: str, stream: "_Stream") -> None:
        """``shell,v2``: packets of a kind, a length and bytes both ways, the exit code last."""
        self.commands.append(command)
        child = subprocess.Popen(
            ["sh", "-c", self.local(command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.root,
            env={**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"},
            start_new_session=True,
        )
        self._children.append(child)
        assert child.stdin
        assert child.stdout
        if self.dies_at and self.dies_at in command:
            self.kill()
        threading.Thread(target=self._feed, args=(child, stream), daemon=True).start()
        while data := os.read(child.stdout.fileno(), 4096):
            stream.write(struct.pack("<BI", _OUTPUT, len(data)) + data)
        stream.write(struct.pack("<BIB", _EXIT, 1, child.wait() & 0xFF))

    def _feed(self, child: "subprocess.Popen[bytes]", stream: "_Stream") -> None:
        assert child.stdin
        with contextlib.suppress(OSError, EOFError):
            while True:
                kind, length = struct.unpack("<BI", stream.read(5))
                data = stream.read(length)
                if kind == _STDIN:
                    os.write(child.stdin.fileno(), data)
                if kind == _CLOSE_STDIN:
                    break
        with contextlib.suppress(OSError):
            child.stdin.close()

    def sync(self, stream: "_Stream") -> None:
        """STAT and SEND, as ``adb push`` uses them."""
        while True:
            request, length = struct.unpack("<4sI", stream.read(8))
            if request == b"QUIT":
                return
            name = stream.read(length).decode()
            if request == b"STAT":
                path = Path(self.local(name))
                found = path.stat() if path.exists() else None
                facts = (found.st_mode, found.st_size, int(found.st_mtime)) if found else (0, 0, 0)
                stream.write(struct.pack("<4s3I", b"STAT", *facts))
            elif request == b"SEND":
                self._receive(stream, *name.rsplit(",", 1))
            else:
                raise NotImplementedError(request)

    def _receive(self, stream: "_Stream", name: str, mode: str) -> None:
        path = Path(self.local(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        full = False
        with path.open("wb") as file:
            while (part := struct.unpack("<4sI", stream.read(8)))[0] == b"DATA":
                data = stream.read(part[1])
                full = full or self._used() + len(data) > self.capacity
                if not full:
                    file.write(data)
                    file.flush()
        path.chmod(int(mode) & 0o777)
        self.pushed += [] if full else [name]
        reason = b"couldn't write file: No space left on device"
        stream.write(struct.pack("<4sI", b"FAIL", len(reason)) + reason if full else struct.pack("<4sI", b"OKAY", 0))

    def _used(self) -> int:
        return sum(file.stat().st_size for file in (self.root / "data").rglob("*") if file.is_file())


class _Transport:
    """One connection of an adb server."""

    def __init__(self, adbd: Adbd, connection: socket.socket) -> None:
        self._adbd = adbd
        self._file = connection.makefile("rb")
        self._connection = connection
        self._sending = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        magic = int.from_bytes(command, "little") ^ 0xFFFFFFFF
        with self._sending:
            self._connection.sendall(_HEADER.pack(command, first, second, len(data), sum(data), magic) + data)

    def serve(self) -> None:
        with contextlib.suppress(OSError, struct.error, ValueError):
            while True:
                command, remote, local, length, _, _ = _HEADER.unpack(self._file.read(_HEADER.size))
                data = self._file.read(length)
                if command in (b"CNXN", b"AUTH") and not self._adbd.trusts:
                    self.send(b"AUTH", 1, 0, os.urandom(20))
                elif command == b"CNXN":
                    self.send(b"CNXN", 0x01000000, 256 * 1024, _BANNER)
                elif command == b"OPEN":
                    self._streams[remote] = _Stream(self, remote)
                    service = data.rstrip(b"\0").decode()
                    threading.Thread(target=self._serve, args=(service, self._streams[remote]), daemon=True).start()
                elif command == b"WRTE":
                    self._streams[remote].received.put(data)
                    self.send(b"OKAY", local, remote)
                elif command == b"OKAY":
                    self._streams[remote].acknowledged.release()
                elif command == b"CLSE" and remote in self._streams:
                    self._streams.pop(remote).received.put(b"")
        for stream in self._streams.values():
            stream.received.put(b"")

    def _serve(self, service: str, stream: "_Stream") -> None:
        self.send(b"OKAY", stream.number, stream.number)
        with contextlib.suppress(OSError, EOFError):
            if service.startswith("shell,v2"):
                self._adbd.run(service.split(":", 1)[1], stream)
            elif service == "sync:":
                self._adbd.sync(stream)
            self.send(b"CLSE", stream.number, stream.number)


class _Stream:
    """Bytes both ways, under the same number on both sides; a write waits until the one before is acknowledged."""

    def __init__(self, transport: _Transport, number: int) -> None:
        self.number = number
        self.received: queue.Queue[bytes] = queue.Queue()
        self.acknowledged = threading.Semaphore(1)
        self._transport = transport
        self._buffer = b""

    def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = self.received.get()
            if not data:
                raise EOFError
            self._buffer += data
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def write(self, data: bytes) -> None:
        self.acknowledged.acquire()
        self._transport.send(b"WRTE", self.number, self.number, data)
