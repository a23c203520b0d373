"""One network on one phone: ``benchmark_model`` in several processes, with the phone cool before each."""

import math
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from archlab.errors import BadInput, RunFailed
from archlab.files import file_hash
from archlab.latency.devices.android.adb import PHONE_FOLDER, Phone, PhoneFull
from archlab.latency.devices.android.condition import Condition, big_cores, read_condition, read_cores
from archlab.latency.devices.android.output import Process, first_complaint, parse_flags, parse_process
from archlab.latency.settings import Settings
from archlab.progress import Progress

LEAST_PROCESSES = 3
WARMUP_RUNS = 3
LOCK_S = 3600.0  # for other archlabs to finish
COOL_DOWN_S = 300.0
COOL_DOWN_POLL_S = 10.0

_LIBRARIES = f"{PHONE_FOLDER}/lib"  # where the user puts a vendor's libraries; nothing else is written there
_TIMED_OUT = (124, 143)  # of Android's timeout, new and old
_PATIENCE_S = 60.0  # for the phone's own time-out to come back


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """What the processes reported, and the condition of the phone around them."""

    processes: tuple[Process, ...]
    peak_memory_mb: float | None
    program: str
    cores: tuple[int, ...]
    before: Condition
    after: Condition


def benchmark(phone: Phone, program: Path, model: Path, settings: Settings, progress: Progress) -> Benchmark:
    """Copy program and model where they are not there yet and run them, without any other archlab on the phone.

    Memory is watched in a process of its own, because that disturbs the times.

    Raises:
        BadInput: the phone is or gets slow, or the program cannot do what is asked.
        DeviceGone: the phone vanished.
        RunFailed: the program failed, its output is no measurement, or the phone is full.
    """
    count = max(settings.processes, LEAST_PROCESSES)
    with phone.lock(LOCK_S):
        before = _cooled(phone, settings, progress)
        tool = _Tool.placed(phone, program, model, settings)
        watched = tool.run(1, 0.0, watch_memory=True) if tool.watches_memory else None
        processes = []
        for number in range(count):
            _cooled(phone, settings, progress)
            progress("measure", number / count)
            processes.append(tool.run(math.ceil(settings.min_runs / count), settings.min_seconds / count))
        after = read_condition(phone)
        refuse_slow(phone, after.unfit or after.hot, settings)
    progress("measure", 1.0)
    return Benchmark(
        processes=tuple(processes),
        peak_memory_mb=watched.peak_memory_mb if watched else None,
        program="classic" if tool.classic else "new",
        cores=tool.cores,
        before=before,
        after=after,
    )


def refuse_slow(phone: Phone, why: str, settings: Settings) -> None:
    """Raise `BadInput` where there is a reason why the phone's times would mislead, unless that is allowed."""
    if why and not settings.allow_throttled:
        raise BadInput(
            f"times of the Android phone {phone.serial!r} would mislead: {why}, or allow throttled measurements"
        )


def _cooled(phone: Phone, settings: Settings, progress: Progress) -> Condition:
    """The phone's condition once it is cool.

    Raises:
        BadInput: it does not get cool, or something else slows it down.
    """
    start = time.monotonic()
    while (condition := read_condition(phone)).hot and not settings.allow_throttled:
        waited_s = time.monotonic() - start
        if waited_s >= COOL_DOWN_S:
            break
        progress("wait", waited_s / COOL_DOWN_S)
        time.sleep(COOL_DOWN_POLL_S)
    refuse_slow(phone, condition.unfit or condition.hot, settings)
    return condition


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tool:
    """``benchmark_model`` and a model on the phone."""

    phone: Phone
    path: str
    graph: str
    flags: frozenset[str]
    cores: tuple[int, ...]
    settings: Settings

    @classmethod
    def placed(cls, phone: Phone, program: Path, model: Path, settings: Settings) -> "_Tool":
        path = _placed(phone, program)
        try:
            flags = parse_flags(phone.shell(f"chmod 755 {path} && {path} --help").text)
        except ValueError as error:
            raise BadInput(f"{program}: {error}") from None
        tool = cls(
            phone=phone,
            path=path,
            graph=_placed(phone, model, ".tflite"),
            flags=flags,
            cores=big_cores(read_cores(phone), settings.threads),
            settings=settings,
        )
        if settings.compute == "npu" and tool.classic:
            raise BadInput(f"{program}: the classic benchmark_model has no NPU; take the new one (LiteRT's)")
        return tool

    @property
    def classic(self) -> bool:
        return "use_npu" not in self.flags

    @property
    def watches_memory(self) -> bool:
        return "report_peak_memory_footprint" in self.flags

    def run(self, runs: int, seconds: float, watch_memory: bool = False) -> Process:
        limit_s = self.settings.timeout_s
        arguments = [
            f"--graph={self.graph}",
            f"--num_threads={self.settings.threads}",
            f"--num_runs={runs}",
            f"--min_secs={seconds}",
            f"--max_secs={limit_s}",
            f"--warmup_runs={WARMUP_RUNS}",
            "--warmup_min_secs=0",
            *(["--report_peak_memory_footprint=true"] if watch_memory else []),
            *self._compute_flags(),
        ]
        pinned = [] if not self.cores else ["taskset", f"{sum(1 << core for core in self.cores):x}"]
        command = shlex.join(["timeout", str(limit_s), *pinned, self.path, *arguments])
        code, text = self.phone.shell(f"LD_LIBRARY_PATH={_LIBRARIES} {command}", limit_s + _PATIENCE_S)
        what = f"benchmark_model on the Android phone {self.phone.serial!r} failed"
        if code in _TIMED_OUT:
            raise RunFailed(f"{what}: no result after {limit_s:g} s")
        if code:
            raise RunFailed(f"{what}: {first_complaint(text) or f'exit code {code}'}")
        try:
            return parse_process(text, str(self.settings.compute), whole=self._whole_or_error)
        except ValueError as error:
            raise RunFailed(f"{what}: {error}") from None

    @property
    def _whole_or_error(self) -> bool:
        """The new program does not tell what GPU or NPU took, so they must take everything."""
        return not self.classic and self.settings.compute != "cpu"

    def _compute_flags(self) -> list[str]:
        compute = self.settings.compute
        if self.classic:
            return ["--use_gpu=true"] if compute == "gpu" else ["--use_xnnpack=true"]
        flags = [f"--use_{unit}={str(unit == compute).lower()}" for unit in ("cpu", "gpu", "npu")]
        if self._whole_or_error:
            flags.append("--require_full_delegation=true")
        return [*flags, f"--dispatch_library_path={_LIBRARIES}"] if compute == "npu" else flags


def _placed(phone: Phone, file: Path, suffix: str = "") -> str:
    """The file's path on the phone: its name is its content's hash, so what is there need not be copied again.

    A full phone first loses the models that archlab left there.
    """
    remote = f"{PHONE_FOLDER}/{file_hash(file)[:16]}{suffix}"
    try:
        phone.place(file, remote)
    except PhoneFull:
        phone.shell(f"rm -f {PHONE_FOLDER}/*.tflite")
        try:
            phone.place(file, remote)
        except PhoneFull as error:
            raise RunFailed(f"{error}; delete something on it") from None
    return remote
