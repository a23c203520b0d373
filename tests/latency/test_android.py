"""End to end through the real ``adb`` against `Adbd`; `benchmark_model` there really runs the converted file."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from archlab.errors import BadInput, RunFailed
from archlab.latency import Latency
from archlab.latency import measure as latency_of
from archlab.latency.devices.android import benchmark as android_benchmark
from archlab.latency.devices.android.adb import attached_phone
from archlab.latency.devices.android.runner import AndroidRunner
from archlab.latency.runner import DeviceGone
from archlab.latency.settings import Settings
from tests.latency.adbd import Adbd
from tests.latency.contract import RunnerContract, convolutions

if shutil.which("adb") is None:
    reason = "these tests need the adb program: apt-get install adb"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)

BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Max charging current: 500000
  status: 2
  level: 83
  scale: 100
  voltage: 4123
  temperature: 285
  technology: Li-ion
"""
THERMAL = """IsStatusOverride: false
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=31.0, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
"""
PROPERTIES = """[ro.build.fingerprint]: [google/shiba/shiba:15/AP4A.250105.002/12701944:user/release-keys]
[ro.build.version.release]: [15]
[ro.hardware]: [shiba]
[ro.product.cpu.abi]: [arm64-v8a]
[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 8]
[ro.soc.model]: [Tensor G3]
"""


@pytest.fixture(scope="module", autouse=True)
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A server of these tests' own, which sees no phone that is really attached."""
    with socket.create_server(("127.0.0.1", 0)) as free, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANDROID_ADB_SERVER_PORT", str(free.getsockname()[1]))
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # for adb's keys
        free.close()
        yield
        subprocess.run(["adb", "kill-server"], check=True)


@contextmanager
def attached(root: Path, **options: Any) -> Iterator[Adbd]:
    """A phone that is ready to be measured on."""
    phone = Adbd(root, **options)
    phone.answer("getprop", PROPERTIES)
    phone.answer("dumpsys battery", BATTERY)
    phone.answer("dumpsys thermalservice", THERMAL)
    phone.answer("dumpsys power", "POWER MANAGER (dumpsys power)\n  mWakefulness=Awake\n")
    phone.answer("settings get global low_power", "0\n")
    phone.answer("input keyevent KEYCODE_WAKEUP", "")
    phone.install("taskset", '#!/bin/sh\nshift\nexec "$@"\n')
    yield phone
    phone.kill()
    subprocess.run(["adb", "disconnect", phone.serial], check=False, capture_output=True)


def stand_in(folder: Path, kind: str, gpu_takes: str = "all", text: str | None = None) -> Path:
    """A program that the user names: a stand-in, or a text that is none."""
    script = Path(__file__).with_name("benchmark_model.py")
    path = folder / "benchmark_model"
    path.write_text(text or f'#!/bin/sh\nexec "{sys.executable}" "{script}" {kind} {gpu_takes} "$@"\n')
    return path


@pytest.fixture
def attach(tmp_path: Path) -> Iterator[Callable[..., Adbd]]:
    with ExitStack() as phones:
        numbers = count()
        yield lambda **options: phones.enter_context(attached(tmp_path / f"phone{next(numbers)}", **options))


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    folder = tmp_path / "a folder"
    folder.mkdir()
    return lambda *options, **text: monkeypatch.setenv(
        "ARCHLAB_BENCHMARK_MODEL", str(stand_in(folder, *options, **text))
    )


@pytest.fixture
def phone(attach: Callable[..., Adbd], program: Callable[..., None]) -> Adbd:
    program("classic")
    return attach()


class TestContract(RunnerContract):
    told = frozenset({"first_run_ms", "peak_memory_mb", "partitions", "accelerated_share"})

    @pytest.fixture(scope="class")
    def device(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        folder = tmp_path_factory.mktemp("contract")
        with pytest.MonkeyPatch.context() as patch, attached(folder / "phone") as phone:
            patch.setenv("ARCHLAB_BENCHMARK_MODEL", str(stand_in(folder, "classic")))
            yield f"android:{phone.serial}"

    @pytest.fixture
    def crippled(self) -> str:
        return "android:absent"

    @pytest.fixture
    def vanishing(self, phone: Adbd) -> tuple[str, Callable[[], None]]:
        return f"android:{phone.serial}", phone.kill


NETWORK = convolutions()


def measure(serial: str | None = None, **settings: Any) -> Latency:
    complete = {"compute": "cpu", "attention": "plain", "min_runs": 6, "min_seconds": 0.0, **settings}
    return AndroidRunner(serial).measure(NETWORK, Settings(**complete), lambda stage, fraction: None)


@pytest.mark.parametrize("kind", ["classic", "new", "old"])
def test_measurement_says_what_it_is(phone: Adbd, program: Callable[..., None], kind: str) -> None:
    program(kind)
    latency = measure()
    assert latency.runs == 3
    assert 0 < latency.median_ms < 100
    assert latency.first_run_ms > 0
    assert latency.load_ms > 0
    assert latency.parity_max_abs is None
    assert (latency.peak_memory_mb is None) == (kind == "old")
    assert (latency.partitions, latency.accelerated_share) == ((None, None) if kind == "new" else (1, 1.0))
    expected = {
        "device": "android",
        "kind": "measured",
        "serial": phone.serial,
        "emulator": False,
        "program": "new" if kind == "new" else "classic",
        "os": "Android 15",
        "host": "Google Pixel 8",
        "chip": "Tensor G3",
        "architecture": NETWORK.id,
        "sample": f"{'mean' if kind == 'old' else 'median'} of the runs of one process",
        "runs_of_processes": [2, 2, 2],
        "cores": "not pinned",
    }
    assert {name: latency.provenance[name] for name in expected} == expected
    condition = {"battery_percent": 83, "battery_c": 28.5, "thermal": "none", "power_saver": False, "screen_on": True}
    assert latency.provenance["before"] == latency.provenance["after"] == {**condition, "governors": None}


def test_what_is_on_the_phone_is_not_copied_again(phone: Adbd) -> None:
    measure(phone.serial)
    measure(phone.serial)
    assert len(phone.pushed) == 2
    assert not list(phone.root.rglob("*.partial"))


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_smaller_weights_run_too(phone: Adbd, precision: str) -> None:
    latency = measure(precision=precision)
    assert latency.model_mb < measure().model_mb
    assert latency.provenance["precision"] == precision


@pytest.mark.parametrize(
    ("kind", "gpu_takes", "expected"),
    [("classic", "all", (1, 1.0)), ("classic", "part", (2, None)), ("new", "all", (1, 1.0))],
)
def test_what_the_gpu_took(
    phone: Adbd, program: Callable[..., None], kind: str, gpu_takes: str, expected: tuple[int, float | None]
) -> None:
    program(kind, gpu_takes)
    latency = measure(compute="gpu")
    assert (latency.partitions, latency.accelerated_share) == expected


@pytest.mark.parametrize(
    ("kind", "gpu_takes", "error", "message"),
    [
        ("classic", "nothing", RunFailed, "the gpu took nothing of the network"),
        ("new", "nothing", RunFailed, "Disallowed CPU fallback detected"),
        ("new", "part", RunFailed, "Disallowed CPU fallback detected"),
    ],
)
def test_gpu_that_takes_too_little(
    phone: Adbd, program: Callable[..., None], kind: str, gpu_takes: str, error: type[Exception], message: str
) -> None:
    program(kind, gpu_takes)
    with pytest.raises(error, match=message):
        measure(compute="gpu")


def test_threads_run_on_the_fastest_cores(phone: Adbd) -> None:
    for core, khz in enumerate([1_700_000, 1_700_000, 2_370_000, 2_370_000, 2_910_000]):
        folder = phone.root / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "cpuinfo_max_freq").write_text(f"{khz}\n")
        (folder / "scaling_governor").write_text("sched_pixel\n")
    latency = measure(threads=2)
    assert latency.provenance["cores"] == [2, 3, 4]
    assert latency.provenance["before"]["governors"] == "sched_pixel"
    assert any("taskset 1c " in command for command in phone.commands)


def test_phone_that_vanishes_in_mid_measurement(phone: Adbd) -> None:
    phone.dies_at = "--graph="
    with pytest.raises(DeviceGone, match=f"the Android phone '{phone.serial}' vanished"):
        measure()
    with pytest.raises(BadInput, match="is offline; reconnect it"):
        measure()


def test_phone_that_comes_back_is_measured(phone: Adbd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("archlab.latency.measure"), "WAITS_S", (0.0,))
    stages: list[str] = []

    def progress(stage: str, fraction: float) -> None:
        if stage == "measure" and "measure" not in stages:
            phone.kill()
        if stage == "wait":
            phone.plug_in()
        stages.append(stage)

    latency = latency_of(NETWORK, "android", min_runs=3, min_seconds=0.0, progress=progress, use_cache=False)
    assert latency.runs == 3
    assert stages.count("wait") == 1


def test_full_phone_is_one_line_and_keeps_no_part(phone: Adbd) -> None:
    phone.capacity = 1500
    with pytest.raises(RunFailed, match=r"has no room for [\d.]+ MB in /data/local/tmp/archlab; delete something"):
        measure()
    assert [path.name for path in phone.root.rglob("data/local/tmp/archlab/*") if path.stat().st_size > 200] == []


def test_full_phone_first_loses_the_models_of_before(phone: Adbd) -> None:
    old = phone.root / "data/local/tmp/archlab/old.tflite"
    old.parent.mkdir()
    old.write_bytes(bytes(50_000))
    phone.capacity = 51_000
    measure()
    assert not old.exists()


def test_one_archlab_at_a_time(phone: Adbd) -> None:
    attached = attached_phone(phone.serial)
    with (
        attached.lock(10),
        pytest.raises(RunFailed, match="another archlab uses it for more than 0 s"),
        attached.lock(0.3),
    ):
        pass
    with attached.lock(10):
        pass


@pytest.mark.parametrize(
    ("command", "text", "message"),
    [
        ("getprop", "[ro.kernel.qemu]: [1]\n", "it is an emulator; take a phone, or allow throttled measurements"),
        ("getprop", "[ro.hardware]: [ranchu]\n", "it is an emulator; take a phone, or allow throttled measurements"),
        ("dumpsys battery", BATTERY.replace("level: 83", "level: 12"), "its battery is at 12 %; charge it to 20 %"),
        ("dumpsys battery", BATTERY.replace("285", "412"), "its battery has 41.2 °C, more than 38 °C; let it cool"),
        ("dumpsys thermalservice", "Thermal Status: 2\n", r"it throttles because it is hot \(moderate\); let it cool"),
        ("settings get global low_power", "1\n", "it saves power; turn the battery saver off"),
    ],
    ids=["QEMU", "emulator's hardware", "battery low", "battery hot", "throttled", "battery saver"],
)
def test_slow_device_is_refused(
    phone: Adbd, monkeypatch: pytest.MonkeyPatch, command: str, text: str, message: str
) -> None:
    monkeypatch.setattr(android_benchmark, "COOL_DOWN_S", 0.0)
    phone.answer(command, text)
    with pytest.raises(BadInput, match=message):
        measure()


def test_slow_device_is_measured_where_that_is_allowed(phone: Adbd) -> None:
    phone.answer("getprop", "[ro.hardware]: [ranchu]\n")
    phone.answer("dumpsys thermalservice", "Thermal Status: 2\n")
    latency = measure(allow_throttled=True)
    assert latency.provenance["emulator"] is True
    assert latency.provenance["before"]["thermal"] == "moderate"
    assert latency.noise is not None
    assert latency.noise.startswith("it is an emulator; take a phone")


def test_hot_phone_cools_down_first(phone: Adbd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(android_benchmark, "COOL_DOWN_POLL_S", 0.0)
    phone.answer("dumpsys thermalservice", "Thermal Status: 1\n")
    stages: list[str] = []

    def progress(stage: str, fraction: float) -> None:
        stages.append(stage)
        if stages.count("wait") == 2:
            phone.answer("dumpsys thermalservice", THERMAL)

    settings = Settings(compute="cpu", attention="plain", min_runs=2, min_seconds=0.0)
    latency = AndroidRunner().measure(NETWORK, settings, progress)
    assert stages.count("wait") == 2
    assert latency.provenance["before"]["thermal"] == "none"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("this is text", BadInput, "benchmark_model: this is no benchmark_model for this device: .*not found"),
        ('#!/bin/sh\n[ "$1" = --help ] && echo " --graph=" || sleep 60\n', RunFailed, "no result after 1 s"),
        (
            '#!/bin/sh\n[ "$1" = --help ] && echo " --graph=" || kill -SEGV $$\n',
            RunFailed,
            "failed: Segmentation fault",
        ),
    ],
    ids=["no program", "hangs", "crashes"],
)
def test_program_that_fails(
    phone: Adbd, program: Callable[..., None], text: str, error: type[Exception], message: str
) -> None:
    program("", text=text)
    with pytest.raises(error, match=message):
        measure(timeout_s=1.0)


def test_only_the_new_program_has_the_npu(phone: Adbd, program: Callable[..., None]) -> None:
    with pytest.raises(BadInput, match="the classic benchmark_model has no NPU; take the new one"):
        measure(compute="npu")
    program("new")
    assert measure(compute="npu").accelerated_share == 1
    flags = "--use_cpu=false --use_gpu=false --use_npu=true --require_full_delegation=true"
    assert any(flags in command for command in phone.commands)


def test_phone_that_cannot_be_chosen(attach: Callable[..., Adbd], program: Callable[..., None]) -> None:
    program("classic")
    with pytest.raises(BadInput, match="no Android phone is attached; connect a phone with USB debugging on"):
        measure()
    first = attach()
    with pytest.raises(BadInput, match=f"no Android phone 'absent' is attached; attached: android:{first.serial}"):
        measure("absent")
    distrusting = attach(trusts=False)
    with pytest.raises(BadInput, match=f"name one: .*android:{first.serial}"):
        measure()
    with pytest.raises(BadInput, match="does not trust this computer; unlock it and accept"):
        measure(distrusting.serial)


def test_status_says_what_is_missing(
    attach: Callable[..., Adbd], program: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("ARCHLAB_BENCHMARK_MODEL", raising=False)
    status = AndroidRunner().status()
    assert status.missing == "benchmark_model, no Android phone is attached"
    assert status.mend.startswith("export ARCHLAB_BENCHMARK_MODEL=https://storage.googleapis.com/")
    assert status.mend.endswith("or run: adb connect HOST:PORT")
    program("classic")
    attach()
    assert AndroidRunner().status().available
    assert AndroidRunner("absent").status().missing == "no Android phone 'absent' is attached"
    monkeypatch.setenv("PATH", str(tmp_path))
    status = AndroidRunner().status()
    assert (status.missing, status.mend) == ("adb", "apt-get install adb, or take Android's platform-tools")
