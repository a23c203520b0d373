import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from archlab.architecture import Block, UNetSpec, map_blocks, preset
from archlab.errors import BadInput, RunFailed
from archlab.latency import DeviceStatus, Latency, devices, measure
from archlab.latency.artifact import converted
from archlab.latency.devices.computer import Meanwhile, State
from archlab.latency.devices.reference import known_reference_ms, remember_reference_ms
from archlab.latency.devices.registry import runner
from archlab.latency.lock import DeviceLock, unlocked
from archlab.latency.network import Built, Network, unet_network
from archlab.latency.runner import DeviceGone, circumstances
from archlab.latency.settings import ATTENTION_FORMS, PRECISIONS, Settings
from archlab.progress import Progress
from tests.latency.contract import convolutions
from tests.latency.registered import register_runner
from tests.latency.test_latency_value import latency


def small() -> UNetSpec:
    spec = map_blocks(preset("tiny").scaled(width=0.25, sample_size=8), lambda block, _: Block())
    return replace(spec, context_dim=32, context_length=7)


class Phone:
    """A device that measures nothing, counts what it is asked, and is gone as often as it is told."""

    name = resource = "phone"
    compute_units = ("cpu", "gpu")
    precisions = ("fp32", "fp16")
    attention_forms = ("plain",)

    def __init__(self) -> None:
        self.asked: list[Settings] = []
        self.runtime = "1"
        self.noise: str | None = None
        self.takes_ms: list[float] = []  # the next times; then 2.5
        self.gone = 0
        self.unplugged = 0

    def status(self) -> DeviceStatus:
        self.unplugged -= 1
        return DeviceStatus(name=self.name, about="", missing="it" if self.unplugged >= 0 else "")

    def versions(self, settings: Settings) -> dict[str, str]:
        return {"runtime": self.runtime}

    def measure(self, network: Network, settings: Settings, progress: Progress, lock: DeviceLock = unlocked) -> Latency:
        self.asked.append(settings)
        with lock(self.resource):
            progress("measure", 0.0)
        if len(self.asked) <= self.gone:
            raise DeviceGone("the phone vanished")
        takes_ms = self.takes_ms.pop(0) if self.takes_ms else 2.5
        return latency(
            samples_ms=(takes_ms, takes_ms),
            noise=self.noise,
            provenance=circumstances(self.name, network, settings, self.versions(settings)),
        )


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Phone]:
    """``--device phone``; waiting takes no time."""
    phone = Phone()
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    register_runner(monkeypatch, phone)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return phone


def test_a_unet_is_measured_as_it_is_deployed() -> None:
    stages: list[tuple[str, float]] = []
    measured = measure(
        small(),
        min_runs=5,
        min_seconds=0.2,
        quiet_timeout_s=0.0,
        progress=lambda stage, fraction: stages.append((stage, fraction)),
    )
    assert measured.runs >= 5
    assert sum(measured.samples_ms) >= 5
    assert measured.partitions == 1
    assert measured.parity_max_abs is not None
    assert measured.parity_max_abs < 1e-4
    assert measured.provenance["architecture"] == small().id
    assert measured.provenance["unaccelerated_operators"] == []
    assert stages == [("convert", 0.0), ("convert", 1.0), ("measure", 0.0), ("measure", 1.0)]


def test_softmax_to_relu_is_the_relu_network() -> None:
    spec = preset("mobilediffusion")
    assert unet_network(spec).id == unet_network(spec.deployed).id == spec.deployed.id


def test_settings_are_completed_with_the_devices_own(phone: Phone) -> None:
    measure(small(), "phone", threads=3)
    assert phone.asked == [Settings(threads=3, compute="cpu", attention="plain")]


def test_cache_is_by_network_settings_and_versions(phone: Phone) -> None:
    assert measure(small(), "phone").provenance["cached"] is False
    assert measure(small(), "phone").provenance["cached"] is True
    assert measure(small(), "phone", timeout_s=5.0, quiet_timeout_s=0.0, compute="cpu").provenance["cached"] is True
    assert len(phone.asked) == 1
    for settings in ({"threads": 2}, {"compute": "gpu"}, {"allow_throttled": True}, {"use_cache": False}):
        measure(small(), "phone", **settings)
    measure(replace(small(), sample_size=16), "phone")
    phone.runtime = "2"
    measure(small(), "phone")
    assert len(phone.asked) == 7


def test_a_noisy_measurement_is_never_given_back(phone: Phone, tmp_path: Path) -> None:
    phone.noise = "somebody called"
    assert [measure(small(), "phone").provenance["cached"] for _ in range(2)] == [False, False]
    assert not (tmp_path / "measurements").exists()
    phone.noise = None
    assert [measure(small(), "phone").provenance["cached"] for _ in range(2)] == [False, True]


def test_what_is_doubted_is_measured_once_more_and_the_more_credible_is_believed(phone: Phone) -> None:
    def doubt(latency: Latency) -> str | None:
        return "too long" if latency.median_ms > 4 else None

    phone.takes_ms = [9.0, 5.0]
    believed = measure(small(), "phone", doubt=doubt)
    assert believed.median_ms == 5.0
    assert believed.provenance["measured_again"] == {
        "because": "too long",
        "other_median_ms": 9.0,
        "other_noise": None,
    }
    again = measure(small(), "phone", doubt=doubt)
    assert again == replace(believed, provenance={**believed.provenance, "cached": True})
    assert len(phone.asked) == 2
    phone.takes_ms, phone.noise = [9.0, 3.0], "somebody called"
    assert measure(small(), "phone", use_cache=False, doubt=doubt).median_ms == 3.0


def test_what_the_cache_has_is_doubted_too(phone: Phone) -> None:
    phone.takes_ms = [9.0]
    measure(small(), "phone")
    phone.takes_ms = [5.0]
    assert measure(small(), "phone", doubt=lambda latency: "too long").median_ms == 5.0
    assert measure(small(), "phone").median_ms == 5.0


def test_damaged_cache_entry_is_measured_again(phone: Phone, tmp_path: Path) -> None:
    measure(small(), "phone")
    (entry,) = (tmp_path / "measurements").glob("*.json")
    entry.write_text('{"median_ms": 0')
    assert measure(small(), "phone").provenance["cached"] is False
    assert measure(small(), "phone").provenance["cached"] is True


@pytest.mark.parametrize(("gone", "unplugged"), [(1, 0), (1, 3), (3, 0), (2, 2)])
def test_a_device_that_vanishes_is_waited_for(phone: Phone, gone: int, unplugged: int) -> None:
    phone.gone, phone.unplugged = gone, unplugged
    stages: list[str] = []
    measured = measure(small(), "phone", progress=lambda stage, _: stages.append(stage))
    assert measured.provenance["kind"] == "measured"
    assert stages.count("measure") == gone + 1
    assert stages.count("wait") == gone + unplugged


@pytest.mark.parametrize(("gone", "unplugged"), [(99, 0), (1, 99)])
def test_a_device_that_does_not_come_back_ends_with_its_reason(phone: Phone, gone: int, unplugged: int) -> None:
    phone.gone, phone.unplugged = gone, unplugged
    with pytest.raises(RunFailed, match=r"^the phone vanished; waited 112 s for it$") as failure:
        measure(small(), "phone")
    assert not isinstance(failure.value, DeviceGone)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"precision": "int8"}, "precision: 'phone' has no 'int8'; valid: fp16, fp32"),
        ({"compute": "cpux"}, "compute: 'phone' has no 'cpux'; did you mean 'cpu'?"),
        ({"attention": "split_einsum"}, "attention: 'phone' has no 'split_einsum'; valid: plain"),
        ({"precision": "fp64"}, "precision: there is no 'fp64'; did you mean 'fp16'?"),
        ({"min_runs": 1}, "min_runs: at least 2 are needed but got 1"),
        ({"min_seconds": float("nan")}, "min_seconds: must be a finite number but is nan"),
        ({"timeout_s": -1.0}, "timeout_s: must be positive but is -1.0"),
        ({"threads": True}, "threads: must be a number, not true"),
        ({"thread": 2}, "thread: there is no such setting; did you mean 'threads'?"),
    ],
)
def test_bad_settings_name_what_would_be_right(phone: Phone, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        measure(small(), "phone", **settings)
    assert str(refused.value) == message
    assert phone.asked == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("tflit", "tflite"),
        ("torch:cpu", "torch[:cuda]"),
        ("android:", "android[:SERIAL]"),
        ("replay", "replay:FILE"),
        ("coreml@", "coreml[@HOST]"),
    ],
)
def test_unknown_device_has_the_nearest_name(name: str, nearest: str) -> None:
    with pytest.raises(BadInput) as refused:
        measure(small(), name)
    assert str(refused.value) == f"no device {name!r}; did you mean {nearest!r}?"


@pytest.mark.parametrize(
    "name",
    [
        *("tflite", "torch", "torch:cuda", "android", "android:10.0.0.7:5555"),
        *("coreml", "coreml@me@mac.local", "iphone", "iphone@mac", "replay:a folder/b:c.json"),
    ],
)
def test_a_device_is_called_what_it_is_asked_for_by(name: str) -> None:
    assert runner(name).name == name


def test_every_kind_of_device_is_listed_with_what_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_MACS", "")
    statuses = devices()
    assert [status.name for status in statuses if not status.name.startswith("android:")] == [
        *("tflite", "torch", "torch:cuda", "android", "coreml", "iphone"),
        *("coreml@HOST", "iphone@HOST", "replay:FILE"),
    ]
    assert all(status.mend and "\n" not in status.mend for status in statuses if not status.available)


class TestArtifact:
    @pytest.fixture(autouse=True)
    def cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))

    def made(self, seed: int = 0, text: str = "model", **key: str) -> Path:
        return converted(convolutions(), "model.x", lambda _, path: path.write_text(text) and None, key, seed).model

    def test_is_converted_once_for_the_same_content(self) -> None:
        first = self.made(text="first")
        assert self.made(text="second") == first
        assert first.read_text() == "first"
        assert len({first, self.made(seed=1), self.made(precision="fp16")}) == 3

    def test_nothing_half_written_stays_behind(self, tmp_path: Path) -> None:
        def fail(built: Built, path: Path) -> None:
            path.write_text("half")
            raise RunFailed("gave up")

        with pytest.raises(RunFailed, match="gave up"):
            converted(convolutions(), "model.x", fail, {})
        assert [path.name for path in (tmp_path / "conversions").iterdir() if not path.name.startswith(".")] == []
        assert list((tmp_path / "conversions").glob(".making-*")) == []

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_full_disk_is_one_line(self) -> None:
        with pytest.raises(RunFailed, match="cannot write the converted convolutions: No space left on device"):
            converted(convolutions(), "model.x", lambda *_: Path("/dev/full").write_text("x") and None, {})

    def test_least_recently_used_goes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        models = [self.made(seed=seed, text="x" * 1000) for seed in range(3)]
        for hours, model in zip((2, 4, 3), models, strict=True):
            os.utime(model.parent, (time.time() - 3600 * hours,) * 2)
        kept_gb = 3.5 * sum(file.stat().st_size for file in models[0].parent.iterdir()) / 1e9
        self.made(seed=0)
        monkeypatch.setenv("ARCHLAB_CACHE_GB", str(kept_gb))
        self.made(seed=3, text="x" * 1000)
        assert [model.exists() for model in models] == [True, False, True]

    def test_limit_that_is_no_number_is_bad_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ARCHLAB_CACHE_GB", "20G")
        with pytest.raises(BadInput, match="ARCHLAB_CACHE_GB: a number of gigabytes is needed but it is '20G'"):
            self.made()


QUIET = State(seconds=0.0, busy_cpu_seconds=0.0, load_average=0.1, cpu_mhz=3000.0, cpu_governor=None, power=None)


@pytest.mark.parametrize(
    ("after", "slowed"),
    [
        ({"busy_cpu_seconds": 19.5, "cpu_mhz": 2000.0}, None),  # that the runs themselves tell
        ({"power": "battery"}, "it runs on battery"),
        ({"cpu_governor": "powersave"}, "the governor saves power"),
        ({"cpu_governor": "powersave (intel_pstate)"}, None),
    ],
)
def test_a_computer_that_saves_power_is_said(after: dict[str, Any], slowed: str | None) -> None:
    assert Meanwhile(QUIET, replace(QUIET, seconds=10.0, **after), own_cpu_seconds=10.0).slowed == slowed


@pytest.mark.parametrize(
    ("cores", "busy", "shared"),
    [
        (1, 19.5, "other programs kept 0.9 of 2 hardware threads busy"),
        (1, 10.0, None),  # all of it what was timed
        (2, 19.5, None),  # a core of its own
    ],
)
def test_a_core_that_is_shared_is_said(
    monkeypatch: pytest.MonkeyPatch, cores: int, busy: float, shared: str | None
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 2 if logical else cores)
    after = replace(QUIET, seconds=10.0, busy_cpu_seconds=busy)
    assert Meanwhile(QUIET, after, own_cpu_seconds=10.0).shared_cores == shared


def test_the_reference_is_what_it_took_lately(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path))
    assert known_reference_ms(1) is None
    for took_ms in (1.0, *[2.0] * 7):
        remember_reference_ms(1, took_ms)
    assert (known_reference_ms(1), known_reference_ms(2)) == (1.0, None)
    remember_reference_ms(1, 3.0)
    assert known_reference_ms(1) == 2.0
    (entry,) = (tmp_path / "references").glob("*.json")
    entry.write_text("[1.0, ")
    assert known_reference_ms(1) is None


def test_importing_loads_no_torch() -> None:
    code = "import sys, archlab.latency; sys.exit('torch' in sys.modules or 'ai_edge_litert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_prints_what_can_be_replayed(tmp_path: Path) -> None:
    def archlab(*arguments: object) -> str:
        command = [sys.executable, "-m", "archlab.cli.main", "latency", "tiny", "--width", "0.25", "--sample-size", "8"]
        return subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=True).stdout

    shown = archlab("--device", "torch", "--min-seconds", 0, "--format", "json")
    (tmp_path / "recording.jsonl").write_text(shown + shown)
    replayed = json.loads(archlab("--device", f"replay:{tmp_path / 'recording.jsonl'}", "--format", "json"))
    assert replayed["samples_ms"] == json.loads(shown)["samples_ms"]
    assert (replayed["provenance"]["kind"], replayed["provenance"]["device"]) == ("replayed", "torch")


def test_precisions_and_forms_of_attention_are_those_that_can_be_converted_to() -> None:
    from archlab.convert import ATTENTION_FORMS as FORMS
    from archlab.convert.tflite import PRECISIONS as CONVERTED

    assert (PRECISIONS, ATTENTION_FORMS) == (CONVERTED, FORMS)
