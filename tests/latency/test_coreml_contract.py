"""The contract for Core ML: here, over a real sshd, and on an iphone behind it; see `tests.latency.sshd`."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.latency.contract import RunnerContract
from tests.latency.sshd import HOST, IPHONE, StandInMac, serve, stand_in_mac, stop

TEAM = "A1B2C3D4E5"
TOLD = frozenset({"first_run_ms", "peak_memory_mb", "accelerated_share", "parity_max_abs"})


class MacContract(RunnerContract):
    """What its subclasses share: a Mac that this computer plays."""

    precision = "fp16"
    told = TOLD

    @pytest.fixture(scope="class")
    def mac(self, tmp_path_factory: pytest.TempPathFactory, cache: None) -> StandInMac:
        mac = stand_in_mac(tmp_path_factory.mktemp("mac"))
        mac.sets(STAND_IN_CONVERTED=f"{os.environ['ARCHLAB_CACHE']}/conversions", STAND_IN_TEAM=TEAM)
        mac.plug_in(IPHONE)
        return mac


class TestContractHere(MacContract):
    @pytest.fixture(scope="class")
    def device(self, mac: StandInMac) -> Iterator[str]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in mac.environment.items():
                patch.setenv(name, value)
            yield "coreml"

    @pytest.fixture
    def crippled(self, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        return "coreml"


class TestContractOverSsh(MacContract):
    @pytest.fixture(scope="class")
    def device(self, mac: StandInMac) -> Iterator[str]:
        serve(mac)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(mac.folder / "client"), prepend=":")
            yield f"coreml@{HOST}"
        stop(mac)

    @pytest.fixture
    def crippled(self, device: str) -> str:
        return "coreml@nowhere.invalid"

    @pytest.fixture
    def vanishing(self, device: str, mac: StandInMac) -> Iterator[tuple[str, Callable[[], None]]]:
        cut = threading.Thread(target=lambda: (mac.wait_until_it_works(), mac.cut_connections()))
        yield device, cut.start
        cut.join()


class TestContractOfAnIPhone(TestContractOverSsh):
    told = TOLD - {"peak_memory_mb"}

    @pytest.fixture(scope="class")
    def device(self, mac: StandInMac) -> Iterator[str]:
        serve(mac)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(mac.folder / "client"), prepend=":")
            patch.setenv("ARCHLAB_DEVELOPMENT_TEAM", TEAM)
            yield f"iphone@{HOST}"
        stop(mac)

    @pytest.fixture
    def crippled(self, device: str, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.delenv("ARCHLAB_DEVELOPMENT_TEAM")
        return device
