"""A Mac's stand-in on loopback: a real sshd with keys of its own, and system commands whose answers a test writes."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

HOST = "studio"

_COREMLTOOLS = Path(__file__).with_name("coremltools_stand_in")
_ANSWERS = {  # as macOS 15 prints them
    "sw_vers -productVersion": "15.1",
    "sw_vers -buildVersion": "24B83",
    "sysctl -n machdep.cpu.brand_string": "Apple M2",
    "pmset -g": "Currently in use:\n standby              1\n lowpowermode         0\n",
    "pmset -g batt": "Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged; 0:00 remaining\n",
    "pmset -g therm": "Note: No thermal warning level has been recorded\n",
    "notifyutil -g com.apple.system.thermalpressurelevel": "com.apple.system.thermalpressurelevel 0\n",
}
IPHONE = {
    "hardwareProperties": {
        "deviceType": "iPhone",
        "reality": "physical",
        "udid": "00008130-0011",
        "marketingName": "iPhone 15 Pro",
        "productType": "iPhone16,1",
    },
    "deviceProperties": {
        "name": "Ada’s iPhone",
        "osVersionNumber": "18.1",
        "osBuildUpdate": "22B83",
        "developerModeStatus": "enabled",
    },
    "connectionProperties": {"tunnelState": "connected"},
}


@dataclass
class StandInMac:
    """What a test may change, and see, of the Mac.

    Attributes:
        folder: of everything; ``home`` in it is the home folder there.
        path: the PATH there: the stand-ins' first.
        environment: variables there; what is set here takes effect with the next command.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    sshd: "subprocess.Popen[bytes] | None" = None

    @property
    def home(self) -> Path:
        """There."""
        return self.folder / "home"

    @property
    def path(self) -> str:
        """There, and for a test that plays the Mac itself."""
        return f"{self.folder / 'bin'}:/usr/bin:/bin"

    def answers(self, command: str, text: str) -> None:
        """From now on the system command prints that."""
        (self.folder / "answers" / command).write_text(text, encoding="utf-8")

    def forgets(self, command: str) -> None:
        """From now on there is no such program."""
        (self.folder / "bin" / command).unlink()

    def plug_in(self, *devices: object) -> None:
        """What devicectl lists."""
        (self.folder / "devices.json").write_text(json.dumps({"result": {"devices": devices}}), encoding="utf-8")

    def sets(self, **variables: str) -> None:
        """Environment variables of the next command there."""
        self.environment |= variables
        lines = [f"export {name}='{value}'" for name, value in self.environment.items()]
        (self.folder / "environment").write_text("\n".join(lines), encoding="utf-8")

    def cut_connections(self) -> None:
        """End sshd's sessions with all that they run, as a Mac that loses power."""
        assert self.sshd is not None
        for process in psutil.Process(self.sshd.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it ended with the one above it
                process.kill()

    def works(self) -> list[str]:
        """The commands that it was kept awake for since it was asked last."""
        log = self.folder / "awake"
        commands = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return commands

    def wait_until_it_works(self) -> None:
        """Until work begins that had not begun before."""
        self.works()
        deadline = time.monotonic() + 60
        while not (self.folder / "awake").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def wait_until_it_rests(self) -> None:
        """Until the work that began last has ended."""
        command = self.works()[-1]
        deadline = time.monotonic() + 20
        while any(command == " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kept(self) -> set[str]:
        """Names of what was received."""
        return {path.name for path in (self.home / "Library/Caches/archlab").iterdir() if len(path.name) == 64}


def stand_in_mac(folder: Path) -> StandInMac:
    """The programs and files of a Mac, without the way there."""
    mac = StandInMac(folder)
    for name in ("home", "bin", "answers"):
        (folder / name).mkdir(parents=True)
    for command, text in _ANSWERS.items():
        mac.answers(command, text)
    for name in {command.split()[0] for command in _ANSWERS}:
        _script(folder / "bin" / name, f'exec cat "{folder}/answers/{name} $*"')
    _script(folder / "bin/caffeinate", f'shift\necho "$@" >>"{folder}/awake"\nexec "$@"')
    _script(folder / "bin/xcrun", f'exec cp "{folder}/devices.json" "$5"')
    _script(folder / "bin/python3", f'exec "{sys.executable}" "$@"')
    _script(folder / "bin/bare_python3", f'exec "{sys.executable}" -S "$@"')
    mac.sets(PATH=mac.path, PYTHONPATH=str(_COREMLTOOLS), HOME=str(mac.home))
    return mac


def serve(mac: StandInMac) -> None:
    """Start sshd for it; a program ``ssh`` in ``client`` knows it as `HOST`."""
    server, client = mac.folder / "server", mac.folder / "client"
    for keys in (server, client):
        keys.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / "key"], check=True)
    shutil.copy(client / "key.pub", server / "authorized_keys")
    login = f'. "{mac.folder}/environment"\ncd "$HOME"\nexec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    _script(server / "login", login)
    port = _free_port()
    (server / "config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {server}/key\nAuthorizedKeysFile {server}/authorized_keys\n"
        f"ForceCommand {server}/login\nPidFile none\nStrictModes no\nPermitRootLogin yes\n"
    )
    public = (server / "key.pub").read_text()
    (client / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (client / "config").write_text(
        f"Host {HOST}\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  IdentityFile {client}/key\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {client}/known_hosts\n  StrictHostKeyChecking yes\n"
    )
    _script(client / "ssh", f'exec {shutil.which("ssh")} -F {client}/config "$@"')
    mac.sshd = subprocess.Popen([_sshd(), "-D", "-f", server / "config"], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("sshd does not start")


def stop(mac: StandInMac) -> None:
    """No sshd any more, nor anything that it started."""
    if mac.sshd is not None:
        mac.cut_connections()
        mac.sshd.kill()
        mac.sshd.wait()
        mac.sshd = None


def _sshd() -> str:
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        reason = "these tests need a real sshd: apt install openssh-server"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd asks for it when root starts it
    return program


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
