"""Times a Core ML model on the Mac it runs on: `python3 agent.py COMMAND`` prints one JSON line.

``check [devices]``: what this Mac has and how it is. ``held HASH``: where content of that hash lies, if it does.
``receive HASH``: keep the tar archive that follows on the standard input. ``measure``: do the job, one JSON line on
the standard input, for as long as that stays open: when it closes, whoever asked is gone and the work is stopped.
Complete in itself: it needs Python 3.9, nothing of archlab, and coremltools in ``measure`` alone.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import fcntl
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = "Library/Caches/archlab"  # under the home folder
LIMIT_BYTES = 20e9

_UNITS = {"MLCPUComputeDevice": "cpu", "MLGPUComputeDevice": "gpu", "MLNeuralEngineComputeDevice": "neural_engine"}
_STAGES = {
    "phone": "building and starting Apple's model runner on the iPhone",
    "load": "loading (compiling) the model",
    "run": "running the model",
}


class Failed(Exception):
    """Why it cannot be done. ``kind``: run, or gone for a device that may come back."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def main(command: str, *arguments: str) -> None:
    """Do what is asked and print the answer, or an error with its kind, as the last line."""
    try:
        answer: dict[str, Any] = _COMMANDS[command](*arguments)
    except Failed as failed:
        answer = {"error": str(failed), "kind": failed.kind}
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        answer = {"error": "its disk is full" if full else f"{type(error).__name__}: {error}", "kind": "run"}
    print(json.dumps(answer), flush=True)


def check(what: str = "") -> dict[str, Any]:
    """System, Python, coremltools, power and heat; with ``devices`` also what is plugged into it."""
    if shutil.which("sw_vers") is None:
        return {"mac": False, "system": platform.system()}
    found: dict[str, Any] = {
        "mac": True,
        "os": f"macOS {_output('sw_vers', '-productVersion')} ({_output('sw_vers', '-buildVersion')})",
        "chip": _output("sysctl", "-n", "machdep.cpu.brand_string"),
        "host": platform.node(),
        "python": sys.executable,
        "coremltools": _version("coremltools"),
        "state": _state(),
    }
    return {**found, "devices": _apple_devices()} if what == "devices" else found


def held(content: str) -> dict[str, Any]:
    """The folder with that content; None when it is not here."""
    folder = _folder() / content
    if not folder.is_dir():
        return {"folder": None}
    os.utime(folder)
    return {"folder": str(folder)}


def receive(content: str) -> dict[str, Any]:
    """Unpack the archive on the standard input, whole or not at all."""
    root = _folder()
    _forget_oldest(root)
    with tempfile.TemporaryDirectory(dir=root, prefix=".receiving-") as temporary:
        unpacked = Path(temporary) / content
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            for member in archive:
                source = archive.extractfile(member)
                if source is None or ".." in Path(member.name).parts or Path(member.name).is_absolute():
                    raise Failed("run", f"the archive holds something that is not a plain file: {member.name!r}")
                (unpacked / member.name).parent.mkdir(parents=True, exist_ok=True)
                with open(unpacked / member.name, "wb") as target:
                    shutil.copyfileobj(source, target)
        if content_hash(unpacked) != content:
            raise Failed("gone", "what arrived is not what was sent")
        with contextlib.suppress(OSError):  # another was faster, with the same content
            unpacked.rename(root / content)
    return held(content)


def measure() -> dict[str, Any]:
    """Do the job of the standard input in a process of its own, which can be ended whatever Core ML is doing."""
    job = json.loads(sys.stdin.readline())
    timeout_s = job["timeout_s"]
    with open(_folder() / "lock", "w") as lock, tempfile.TemporaryFile("w+") as said:
        _lock(lock, timeout_s)
        awake = ["caffeinate", "-dims"] if shutil.which("caffeinate") else []
        worker = subprocess.Popen(
            [*awake, sys.executable, __file__, "work", json.dumps(job)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=_stop_when_input_ends, args=(worker,), daemon=True).start()
        late = threading.Timer(timeout_s, _stop, (worker,))
        late.start()
        message, stage = {}, "load"
        for line in worker.stdout or ():
            message = json.loads(line)
            stage = message.get("stage", stage)
        worker.wait()
        _stop(worker)  # what it left running, Xcode's programs for instance
        if not late.is_alive():
            raise Failed("run", f"{_STAGES[stage]} did not end within {timeout_s:g} s")
        late.cancel()
        if not message or "stage" in message:
            said.seek(0)
            reason = [f"its process ended with {worker.returncode}", *said.read().strip().splitlines()][-1]
            raise Failed("run", f"{_STAGES[stage]} failed: {reason}")
    return message


def work(job: str) -> dict[str, Any]:
    """Load, run and time; the standard output is kept for the stages and the answer."""
    stages = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        return asyncio.run(_time(json.loads(job), stages))
    finally:
        sys.stdout.flush()
        os.dup2(stages.fileno(), 1)


async def _time(job: dict[str, Any], stages: Any) -> dict[str, Any]:
    import coremltools
    import numpy
    from coremltools.models.ml_program.experimental.async_wrapper import MLModelAsyncWrapper

    def stage(name: str) -> None:
        print(json.dumps({"stage": name}), file=stages, flush=True)

    phone = None
    if job["iphone"]:
        stage("phone")
        phone = await _prepared_iphone(job["iphone"], job["team"])
    folder = Path(job["folder"])
    with numpy.load(folder / "inputs.npz") as arrays:
        inputs = dict(arrays)
    model = MLModelAsyncWrapper.from_spec_or_path(
        spec_or_path=str(folder / "model.mlpackage"),
        weights_dir="",
        compute_units=coremltools.ComputeUnit[job["compute"].upper()],
        device=phone,
    )

    async def run_ms() -> tuple[float, Any]:
        (output,) = (await model.predict(dict(inputs))).values()
        return _ms(model.last_predict_duration_in_nano_seconds, "the prediction"), output

    try:
        stage("load")
        start = time.perf_counter()
        await _load(model)
        whole_ms = (time.perf_counter() - start) * 1000
        load_ms = _ms(model.load_duration_in_nano_seconds, "loading")
        stage("run")
        first_run_ms, output = await run_ms()
        for _ in range(job["warmup_runs"]):
            await run_ms()
        samples_ms: list[float] = []
        start = time.perf_counter()
        while len(samples_ms) < job["min_runs"] or time.perf_counter() - start < job["min_seconds"]:
            samples_ms.append((await run_ms())[0])
    except Exception as error:
        if phone and _connected_iphone(phone.udid) is None:
            raise Failed("gone", f"the iPhone vanished: {_reason(error)}") from error
        raise Failed("run", _reason(error)) from error
    return {
        "samples_ms": samples_ms,
        "load_ms": load_ms,
        "prepare_ms": max(whole_ms - load_ms, 0.0),
        "first_run_ms": first_run_ms,
        "peak_memory_mb": None if phone else _peak_memory_mb(),
        "output": _npy(output),
        **await _placement(model),
        "state": _state(),
    }


async def _load(model: Any) -> None:
    """coremltools warns of the framework's reason and then raises without it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            await model.load()
        except Exception as error:
            reasons = [str(warning.message) for warning in caught if warning.category is RuntimeWarning]
            raise RuntimeError(f"{error}: {reasons[-1]}" if reasons else str(error)) from error


async def _placement(model: Any) -> dict[str, Any]:
    """How many operations Core ML prefers to run on which unit, by its own plan; constants run nowhere."""
    try:
        plan = await model.retrieve_compute_plan()
        counts = dict.fromkeys(_UNITS.values(), 0)
        blocks = [function.block for function in plan.model_structure.program.functions.values()]
        while blocks:
            for operation in blocks.pop().operations:
                usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
                if usage is not None:
                    counts[_UNITS[type(usage.preferred_compute_device).__name__]] += 1
                blocks.extend(operation.blocks)
    except Exception as error:  # a plan takes macOS 14.4 or later; without one the times are still good
        return {"operations": None, "no_plan": _reason(error)}
    return {"operations": counts, "no_plan": None}


async def _prepared_iphone(udid: str, team: str) -> Any:
    from coremltools.models.ml_program.experimental.remote_device import AppSigningCredentials

    iphone = _connected_iphone(udid)
    if iphone is None:
        raise Failed("gone", "the iPhone is no longer connected")
    folder = _folder() / "modelrunner"
    folder.mkdir(exist_ok=True)
    try:
        return await iphone.prepare_for_model_debugging(
            credentials=AppSigningCredentials(development_team=team), working_directory=folder
        )
    except Exception as error:
        raise Failed("run", f"Apple's model runner cannot be built or started there: {_reason(error)}") from error


def _connected_iphone(udid: str) -> Any:
    from coremltools.models.ml_program.experimental.remote_device import Device, DeviceType

    return next((found for found in Device.get_connected_devices(DeviceType.IPHONE) if found.udid == udid), None)


def _apple_devices() -> list[Any] | None:
    """What ``devicectl`` lists; None where there is no Xcode that has it."""
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "devices.json"
        _output("xcrun", "devicectl", "list", "devices", "--json-output", str(listing))
        if not listing.exists():
            return None
        return list(json.loads(listing.read_text(encoding="utf-8"))["result"]["devices"])


def _state() -> dict[str, Any]:
    """Power source, low power mode, thermal pressure (0 is none); None for what macOS does not tell."""
    source = re.search(r"Now drawing from '(.+?)'", _output("pmset", "-g", "batt"))
    saving = re.search(r"lowpowermode\s+(\d)", _output("pmset", "-g"))
    limit = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", _output("pmset", "-g", "therm"))
    pressure = re.search(r"(\d+)\s*$", _output("notifyutil", "-g", "com.apple.system.thermalpressurelevel"))
    return {
        "power": source.group(1) if source else None,
        "low_power_mode": saving.group(1) == "1" if saving else None,
        "cpu_speed_limit_percent": int(limit.group(1)) if limit else None,
        "thermal_pressure": int(pressure.group(1)) if pressure else None,
    }


def content_hash(folder: Path, names: tuple[str, ...] = ("",)) -> str:
    """SHA-256 of the files at or below ``folder/name``, by their paths and bytes."""
    digest = hashlib.sha256()
    for path in files(folder, names):
        name = path.relative_to(folder).as_posix().encode()
        digest.update(b"%d %d " % (len(name), path.stat().st_size) + name)
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
    return digest.hexdigest()


def files(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The files at or below ``folder/name``, in one order everywhere."""
    found = [path for name in names for path in [folder / name, *(folder / name).rglob("*")] if path.is_file()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _folder() -> Path:
    folder = Path.home() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _forget_oldest(root: Path) -> None:
    """Hold what was received under the limit: least recently used first, and what never arrived whole."""
    entries = [entry for entry in root.iterdir() if len(entry.name) == 64]
    entries.sort(key=lambda entry: entry.stat().st_mtime)
    sizes = {entry: sum(file.stat().st_size for file in files(entry, ("",))) for entry in entries}
    abandoned = [entry for entry in root.glob(".receiving-*") if time.time() - entry.stat().st_mtime > 86400]
    while entries and sum(sizes.values()) > LIMIT_BYTES:
        sizes.pop(entries[0])
        abandoned.append(entries.pop(0))
    for entry in abandoned:
        shutil.rmtree(entry, ignore_errors=True)


def _lock(lock: Any, timeout_s: float) -> None:
    """One measurement at a time; the system lets go of the lock of a process that ends."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Failed("gone", f"busy: another did not end within {timeout_s:g} s") from None
            time.sleep(0.1)


def _stop_when_input_ends(worker: subprocess.Popen[str]) -> None:
    sys.stdin.read()
    _stop(worker)
    os._exit(1)


def _stop(worker: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)


def _output(*command: str) -> str:
    """What a system command prints; nothing when it is absent, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _ms(nanoseconds: int | None, what: str) -> float:
    if nanoseconds is None:
        raise RuntimeError(f"Core ML does not tell how long {what} took")
    return nanoseconds / 1e6


def _npy(array: Any) -> str:
    """A ``.npy`` file in base64."""
    import numpy

    file = io.BytesIO()
    numpy.save(file, numpy.asarray(array, numpy.float32))
    return base64.b64encode(file.getvalue()).decode()


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


_COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    "check": check,
    "held": held,
    "receive": receive,
    "measure": measure,
    "work": work,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
