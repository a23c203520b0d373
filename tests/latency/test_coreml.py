"""Core ML end to end: over a real sshd, with a stand-in for Core ML's prediction and for macOS' commands alone."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archlab.errors import BadInput, RunFailed
from archlab.evaluation.fact import from_json, to_json
from archlab.evaluation.latency import Latency
from archlab.latency.devices.coreml.runner import CoreMLRunner
from archlab.latency.devices.iphone.runner import IPhoneRunner
from archlab.latency.runner import DeviceGone
from archlab.latency.settings import Settings
from tests.latency.contract import convolutions
from tests.latency.sshd import HOST, IPHONE, StandInMac, serve, stand_in_mac, stop

SETTINGS = Settings(precision="fp16", compute="cpu_and_ne", attention="plain", min_runs=3, min_seconds=0.0)
TEAM = "A1B2C3D4E5"
CONVOLUTIONS = 2


ASK = """
import sys
from pathlib import Path
from archlab.latency.artifact import Artifact
from archlab.latency.devices.coreml.mac import Mac

folder = Path(sys.argv[1])
runs = {"warmup_runs": 1, "min_runs": 2, "min_seconds": 0, "timeout_s": 60}
job = {"compute": "all", **runs, "iphone": None, "team": None}
Mac("studio").measure(Artifact(folder, folder / "model.mlpackage"), job)
"""


def measure(runner, settings: Settings = SETTINGS):
    return runner.measure(convolutions(), settings, lambda stage, fraction: None)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("größe und maß")


@pytest.fixture(autouse=True)
def shared_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(cache))


@pytest.fixture
def mac(tmp_path: Path, cache: Path) -> StandInMac:
    mac = stand_in_mac(tmp_path / "mac")
    mac.sets(STAND_IN_CONVERTED=str(cache / "conversions"), STAND_IN_TEAM=TEAM)
    mac.plug_in(IPHONE)
    return mac


@pytest.fixture
def remote(mac: StandInMac, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInMac]:
    """Reached through ssh alone."""
    serve(mac)
    monkeypatch.setenv("PATH", str(mac.folder / "client"), prepend=":")
    yield mac
    stop(mac)


@pytest.fixture
def local(mac: StandInMac, monkeypatch: pytest.MonkeyPatch) -> StandInMac:
    """This computer plays the Mac."""
    for name, value in mac.environment.items():
        monkeypatch.setenv(name, value)
    return mac


def test_a_mac_over_ssh_measures(remote: StandInMac) -> None:
    latency = measure(CoreMLRunner(HOST))
    assert latency.runs == 3
    assert 2 < latency.median_ms < 500  # the stand-in takes 2 ms
    assert latency.load_ms == 9
    assert latency.parity_max_abs == 0
    assert latency.partitions is None
    assert 5 < latency.peak_memory_mb < 1000
    told = latency.provenance
    assert (told["device"], told["kind"], told["os"]) == (f"coreml@{HOST}", "measured", "macOS 15.1 (24B83)")
    assert (told["chip"], told["compute"], told["precision"]) == ("Apple M2", "cpu_and_ne", "fp16")
    assert told["state"]["power"] == "AC Power"
    assert from_json(Latency, to_json(latency), "here") == latency


@pytest.mark.parametrize(
    ("compute", "share"), [("all", "neural_engine"), ("cpu_and_ne", "neural_engine"), ("cpu_and_gpu", "gpu")]
)
def test_share_of_the_accelerator_comes_from_the_compute_plan(local: StandInMac, compute: str, share: str) -> None:
    latency = measure(CoreMLRunner(), SETTINGS.model_copy(update={"compute": compute}))
    operations = latency.provenance["operations"]
    assert operations[share] == CONVOLUTIONS  # the stand-in's plan puts those there
    assert latency.accelerated_share == CONVOLUTIONS / sum(operations.values())


def test_unit_that_takes_nothing_is_no_measurement_of_it(local: StandInMac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_ON_CPU", "1")
    with pytest.raises(RunFailed, match="with compute cpu_and_ne Core ML's plan leaves the whole network to the CPU"):
        measure(CoreMLRunner(), SETTINGS.model_copy(update={"compute": "cpu_and_ne"}))
    assert measure(CoreMLRunner(), SETTINGS.model_copy(update={"compute": "all"})).accelerated_share == 0


def test_nothing_accelerates_on_the_cpu_alone(local: StandInMac) -> None:
    assert measure(CoreMLRunner(), SETTINGS.model_copy(update={"compute": "cpu_only"})).accelerated_share is None


def test_the_model_is_copied_once_and_whole(remote: StandInMac, cache: Path) -> None:
    measure(CoreMLRunner(HOST))
    (kept,) = remote.kept()
    folder = remote.home / "Library/Caches/archlab" / kept
    inode = (folder / "inputs.npz").stat().st_ino
    measure(CoreMLRunner(HOST))
    assert remote.kept() == {kept}
    assert (folder / "inputs.npz").stat().st_ino == inode
    (made,) = (path.parent for path in (cache / "conversions").glob("*/key.json"))
    for path in folder.rglob("*.*"):
        original = made / path.relative_to(folder)
        assert path.is_dir() or path.read_bytes() == original.read_bytes()


def test_another_model_has_another_place(remote: StandInMac) -> None:
    for seed in (0, 1):
        measure(CoreMLRunner(HOST), SETTINGS.model_copy(update={"seed": seed}))
    assert len(remote.kept()) == 2


def test_runs_are_shared_by_processes_that_keep_the_mac_awake(local: StandInMac) -> None:
    latency = measure(CoreMLRunner(), SETTINGS.model_copy(update={"processes": 2, "min_runs": 4}))
    assert latency.runs == 4
    assert len(local.works()) == 2


def test_measurements_of_one_mac_wait_for_each_other(remote: StandInMac) -> None:
    remote.sets(STAND_IN_LOAD_SECONDS="0.7")
    measure(CoreMLRunner(HOST))
    start = time.monotonic()
    both = [threading.Thread(target=measure, args=(CoreMLRunner(HOST),)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert time.monotonic() - start > 1.4


@pytest.mark.parametrize(
    ("command", "answer", "reason"),
    [
        ("pmset -g batt", "Now drawing from 'Battery Power'", "runs on battery"),
        ("pmset -g", " lowpowermode         1", "low power mode"),
        ("notifyutil -g com.apple.system.thermalpressurelevel", "com.apple.system.thermalpressurelevel 2", "is hot"),
        ("pmset -g therm", "CPU_Speed_Limit \t= 71", "is hot"),
    ],
)
def test_a_slowed_mac_is_refused_unless_allowed(local: StandInMac, command: str, answer: str, reason: str) -> None:
    local.answers(command, answer)
    with pytest.raises(BadInput, match=reason):
        measure(CoreMLRunner())
    latency = measure(CoreMLRunner(), SETTINGS.model_copy(update={"allow_throttled": True}))
    assert latency.provenance["allow_throttled"]
    assert latency.noise is not None
    assert reason in latency.noise


def test_slow_compilation_ends_with_the_time_out(remote: StandInMac) -> None:
    remote.sets(STAND_IN_LOAD_SECONDS="60")
    start = time.monotonic()
    with pytest.raises(RunFailed, match=r"loading \(compiling\) the model did not end within 3 s"):
        measure(CoreMLRunner(HOST), SETTINGS.model_copy(update={"timeout_s": 3.0}))
    assert time.monotonic() - start < 20
    remote.wait_until_it_rests()


def test_a_lost_connection_is_a_device_gone_and_ends_the_work_there(remote: StandInMac) -> None:
    remote.sets(STAND_IN_PREDICT_SECONDS="30")
    cut = threading.Thread(target=lambda: (remote.wait_until_it_works(), remote.cut_connections()))
    cut.start()
    with pytest.raises(DeviceGone, match=HOST):
        measure(CoreMLRunner(HOST))
    cut.join()
    remote.sets(STAND_IN_PREDICT_SECONDS="0.001")
    assert measure(CoreMLRunner(HOST)).runs == 3


def test_work_there_ends_with_the_one_who_asked(remote: StandInMac, cache: Path) -> None:
    measure(CoreMLRunner(HOST))
    remote.sets(STAND_IN_PREDICT_SECONDS="30")
    folder = next((cache / "conversions").glob("*/key.json")).parent
    asker = subprocess.Popen([sys.executable, "-c", ASK, str(folder)], stderr=subprocess.DEVNULL)
    remote.wait_until_it_works()
    asker.kill()
    asker.wait()
    remote.wait_until_it_rests()


def test_nobody_at_home_may_come_back(remote: StandInMac) -> None:
    stop(remote)
    with pytest.raises(DeviceGone, match="Remote Login"):
        measure(CoreMLRunner(HOST))
    assert "Remote Login" in CoreMLRunner(HOST).status().mend


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        ("server/authorized_keys", "studio: refuses the key; let it in: ssh-copy-id studio"),
        ("client/known_hosts", "studio: its host key is unknown here or has changed; look at it: ssh studio"),
    ],
)
def test_ssh_that_is_refused_says_what_to_do(remote: StandInMac, damaged: str, reason: str) -> None:
    (remote.folder / damaged).write_text("")
    with pytest.raises(BadInput, match=reason):
        measure(CoreMLRunner(HOST))
    status = CoreMLRunner(HOST).status()
    assert f"{status.missing}; {status.mend}" == reason


def test_an_unknown_host_is_named(remote: StandInMac) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.invalid: there is no such host"):
        measure(CoreMLRunner("nowhere.invalid"))


@pytest.mark.parametrize("host", ["-oProxyCommand=touch pwned", ""])
def test_a_host_is_never_an_option(host: str) -> None:
    with pytest.raises(BadInput, match="no name of a Mac"):
        CoreMLRunner(host)


def test_without_ssh_ssh_is_missing(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert CoreMLRunner(HOST).status().missing == "the ssh program is not installed"


def test_something_else_than_a_mac_is_refused(remote: StandInMac) -> None:
    remote.forgets("sw_vers")
    with pytest.raises(BadInput, match=f"macOS: {HOST} runs Linux"):
        measure(CoreMLRunner(HOST))


def test_missing_coremltools_is_named_with_the_command_that_brings_it(remote: StandInMac, monkeypatch) -> None:
    remote.sets(PYTHONPATH="")
    monkeypatch.setenv("ARCHLAB_MAC_PYTHON", "bare_python3")
    status = CoreMLRunner(HOST).status()
    assert status.missing == f"coremltools on {HOST}"
    assert "-m pip install coremltools" in status.mend


def test_missing_python_is_named(remote: StandInMac, monkeypatch) -> None:
    monkeypatch.setenv("ARCHLAB_MAC_PYTHON", "~/venv/bin/python")
    with pytest.raises(BadInput, match=r"venv/bin/python.*set ARCHLAB_MAC_PYTHON"):
        measure(CoreMLRunner(HOST))


def test_python_of_the_home_folder_is_found(remote: StandInMac, monkeypatch) -> None:
    (remote.home / "venv").symlink_to(remote.folder / "bin")
    monkeypatch.setenv("ARCHLAB_MAC_PYTHON", "~/venv/python3")
    assert CoreMLRunner(HOST).status().available


def test_a_full_disk_is_a_reason(remote: StandInMac) -> None:
    folder = remote.home / "Library/Caches/archlab"
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", folder], check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        with pytest.raises(RunFailed, match=f"{HOST}: its disk is full"):
            measure(CoreMLRunner(HOST))
        assert remote.kept() == set()
    finally:
        subprocess.run(["umount", folder], check=True)


def test_what_core_ml_says_when_it_refuses_a_model_is_the_reason(local: StandInMac, monkeypatch) -> None:
    monkeypatch.setenv("STAND_IN_REFUSES", "E5RT: operation reshape of rank 6 is not supported")
    with pytest.raises(RunFailed, match="E5RT: operation reshape of rank 6"):
        measure(CoreMLRunner())


def test_a_wrong_output_is_no_measurement(local: StandInMac, monkeypatch) -> None:
    monkeypatch.setenv("STAND_IN_ERROR", "0.5")
    with pytest.raises(RunFailed, match="differs from torch"):
        measure(CoreMLRunner())


def test_threads_are_not_ours_to_choose(local: StandInMac) -> None:
    with pytest.raises(BadInput, match="Core ML chooses"):
        measure(CoreMLRunner(), SETTINGS.model_copy(update={"threads": 2}))


def test_versions_tell_what_decides_the_number(local: StandInMac) -> None:
    before = CoreMLRunner().versions(SETTINGS)
    local.answers("sw_vers -productVersion", "15.2")
    changed = {name for name, value in CoreMLRunner().versions(SETTINGS).items() if value != before[name]}
    assert changed == {"os", "runtime"}


@pytest.mark.parametrize("runner", [CoreMLRunner, IPhoneRunner])
def test_without_a_mac_a_mac_is_missing(runner, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status = runner().status()
    assert status.missing == "macOS: this computer runs Linux"
    assert "coreml@HOST" in status.mend


def test_an_iphone_behind_a_mac_measures(remote: StandInMac, monkeypatch) -> None:
    monkeypatch.setenv("ARCHLAB_DEVELOPMENT_TEAM", TEAM)
    latency = measure(IPhoneRunner(HOST))
    assert latency.runs == 3
    assert latency.peak_memory_mb is None
    assert latency.provenance["device"] == f"iphone@{HOST}"
    assert latency.provenance["chip"] == "iPhone 15 Pro (iPhone16,1)"
    assert latency.provenance["os"] == "iOS 18.1 (22B83)"
    assert latency.provenance["mac"] == "Apple M2, macOS 15.1 (24B83)"


def changed(**changes: object) -> dict[str, object]:
    """The iPhone with some properties changed, wherever they are."""
    return {part: {name: changes.get(name, value) for name, value in facts.items()} for part, facts in IPHONE.items()}


@pytest.mark.parametrize(
    ("devices", "team", "missing"),
    [
        ([], TEAM, "a connected iPhone"),
        ([changed(deviceType="iPad")], TEAM, "a connected iPhone"),
        ([changed(tunnelState="disconnected")], TEAM, "a connected iPhone"),
        ([changed(reality="simulated")], TEAM, "a connected iPhone, and a simulator’s times are the Mac’s"),
        ([IPHONE, changed(name="Bob's", udid="2")], TEAM, "the choice of an iPhone"),
        ([changed(developerModeStatus="disabled")], TEAM, "Developer Mode on the iPhone"),
        ([IPHONE], "", "the development team that signs Apple's model runner"),
    ],
)
def test_what_an_iphone_lacks_is_named(local: StandInMac, devices, team, missing, monkeypatch) -> None:
    local.plug_in(*devices)
    monkeypatch.setenv("ARCHLAB_DEVELOPMENT_TEAM", team)
    status = IPhoneRunner().status()
    assert status.missing == missing
    assert status.mend
    with pytest.raises(BadInput, match=missing):
        measure(IPhoneRunner())


def test_one_of_several_iphones_is_chosen_by_name(local: StandInMac, monkeypatch) -> None:
    local.plug_in(IPHONE, changed(name="Bob's", udid="2"))
    monkeypatch.setenv("ARCHLAB_DEVELOPMENT_TEAM", TEAM)
    monkeypatch.setenv("ARCHLAB_IPHONE", "Bob's")
    assert IPhoneRunner().versions(SETTINGS)["host"] == "Bob's"


def test_without_xcode_xcode_is_missing(local: StandInMac) -> None:
    local.forgets("xcrun")
    assert IPhoneRunner().status().missing.startswith("Xcode 15")


def test_a_team_that_cannot_sign_is_xcodes_reason(local: StandInMac, monkeypatch) -> None:
    monkeypatch.setenv("ARCHLAB_DEVELOPMENT_TEAM", "OTHERTEAM0")
    with pytest.raises(RunFailed, match="cannot be built or started there: ValueError: No signing certificate"):
        measure(IPhoneRunner())


def test_an_unplugged_iphone_is_a_device_gone(local: StandInMac, monkeypatch) -> None:
    monkeypatch.setenv("ARCHLAB_DEVELOPMENT_TEAM", TEAM)
    monkeypatch.setenv("STAND_IN_UNPLUGS", str(local.folder / "devices.json"))
    with pytest.raises(DeviceGone, match="the iPhone vanished"):
        measure(IPhoneRunner())
