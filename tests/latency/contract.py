"""What every runner holds to, written once; each runner's test subclasses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archlab.errors import BadInput, RunFailed
from archlab.latency import Latency, measure
from archlab.latency.devices.registry import runner
from archlab.latency.lock import THIS_COMPUTER
from archlab.latency.network import Built, Network
from archlab.latency.runner import DeviceGone
from archlab.latency.settings import Settings
from archlab.progress import silent

PROVENANCE = {
    *("device", "kind", "cached", "runtime", "os", "host", "chip", "archlab"),
    *("threads", "precision", "compute", "attention", "processes", "min_runs", "min_seconds"),
    *("seed", "weights", "architecture", "measured_at"),
}


class Convolutions(nn.Module):
    """Small, and converted in a second."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 3, 3, padding=1))

    def forward(self, sample: Tensor) -> Tensor:
        """[1, 3, 32, 32] → the same"""
        out: Tensor = self.layers(sample)
        return out


def convolutions() -> Network:
    """A network that every runner takes."""

    def build(seed: int) -> Built:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Built(Convolutions().eval().requires_grad_(False), {"sample": torch.randn(1, 3, 32, 32)})

    return Network(id="c0ffee", name="convolutions", build=build)


class RunnerContract:
    """Subclass it as ``TestContract`` and give what the tests need of the device.

    Attributes:
        precision: that is measured.
        told: fields of `Latency` that may be None in general and are not on this device.

    Fixtures:
        device (class): a device's name; set up what it takes (stand-ins, environment) and take it down again.
        crippled (function): the name of a device of this kind that something is missing for.
        vanishing (function): a device's name, and what makes it vanish when called as its runs begin. Where it is not
            given the device cannot vanish.
    """

    precision = "fp32"
    told: frozenset[str] = frozenset()

    @pytest.fixture(scope="class")
    def cache(self, tmp_path_factory: pytest.TempPathFactory) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ARCHLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
            yield

    @pytest.fixture(scope="class")
    def device(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def crippled(self) -> str:
        raise NotImplementedError

    @pytest.fixture
    def vanishing(self) -> tuple[str, Callable[[], None]]:
        return pytest.skip("it cannot vanish: it is this computer")

    @pytest.fixture(scope="class")
    def measured(self, device: str, cache: None) -> Latency:
        return measure(
            convolutions(), device, precision=self.precision, min_runs=4, min_seconds=0.0, quiet_timeout_s=0.0
        )

    def settings(self, device: str, **changes: Any) -> Settings:
        """Complete, as `measure` hands them to the runner."""
        chosen = runner(device)
        complete = Settings(
            compute=next(iter(chosen.compute_units), None),
            attention=next(iter(chosen.attention_forms), None),
            precision=self.precision,
            min_runs=4,
            min_seconds=0.0,
            quiet_timeout_s=0.0,
        )
        return complete.model_copy(update=changes)

    def test_is_available_and_named_as_it_is_asked_for(self, device: str) -> None:
        status = runner(device).status()
        assert status.available, status
        assert status.name == runner(device).name == device
        assert status.about
        assert status.mend == ""

    def test_what_is_missing_is_said_with_what_mends_it(self, crippled: str) -> None:
        status = runner(crippled).status()
        assert not status.available
        assert status.mend
        assert "\n" not in status.missing + status.mend
        with pytest.raises((BadInput, RunFailed)) as refused:
            measure(convolutions(), crippled, precision=self.precision)
        assert "\n" not in str(refused.value)

    def test_measures(self, measured: Latency) -> None:
        assert measured.runs >= 2
        assert 0 < measured.median_ms <= measured.p90_ms < 1000
        assert 0 < measured.model_mb < 1
        missing = {field for field in self.told if getattr(measured, field) is None}
        assert missing == set()

    def test_says_where_the_number_comes_from(self, device: str, measured: Latency) -> None:
        provenance = measured.provenance
        assert set(provenance) >= PROVENANCE, PROVENANCE - set(provenance)
        assert (provenance["device"], provenance["kind"], provenance["cached"]) == (device, "measured", False)
        assert (provenance["precision"], provenance["architecture"]) == (self.precision, "c0ffee")
        assert runner(device).versions(self.settings(device)).items() <= provenance.items()

    def test_is_locked_while_it_runs_and_not_while_it_converts(self, device: str, measured: Latency) -> None:
        locked: list[str] = []
        during: dict[str, set[bool]] = {}

        @contextmanager
        def lock(resource: str) -> Iterator[None]:
            locked.append(resource)
            yield
            locked.clear()

        def progress(stage: str, fraction: float) -> None:
            during.setdefault(stage, set()).add(bool(locked))

        resource = runner(device).resource
        assert resource in (THIS_COMPUTER, device)
        runner(device).measure(convolutions(), self.settings(device), progress, lock)
        assert (during["convert"], during["measure"]) == ({False}, {True})
        assert locked == []

    def test_is_measured_once_for_the_same_settings(self, device: str, measured: Latency) -> None:
        again = measure(
            convolutions(), device, precision=self.precision, min_runs=4, min_seconds=0.0, quiet_timeout_s=0.0
        )
        if measured.noisy:
            assert again.provenance["cached"] is False
        else:
            assert again == replace(measured, provenance={**measured.provenance, "cached": True})

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"precision": "fp7"}, "precision: there is no 'fp7'"),
            ({"compute": "abacus"}, r"compute: '.*' has no 'abacus'"),
            ({"attention": "split"}, "attention: there is no 'split'"),
            ({"threads": 0}, "threads: at least 1"),
            ({"processes": 0}, "processes: at least 1"),
            ({"timeout_s": 0}, "timeout_s: must be positive"),
        ],
    )
    def test_refuses_what_it_cannot_do(self, device: str, setting: dict[str, Any], message: str) -> None:
        with pytest.raises(BadInput, match=message):
            measure(convolutions(), device, **setting)

    def test_ends_what_takes_too_long(self, device: str, cache: None) -> None:
        settings = self.settings(device, min_runs=10**7, min_seconds=600.0, timeout_s=1.5)
        with pytest.raises(RunFailed) as failure:
            runner(device).measure(convolutions(), settings, silent)
        assert not isinstance(failure.value, DeviceGone)
        assert "1.5 s" in str(failure.value)

    def test_says_when_it_vanishes(self, vanishing: tuple[str, Callable[[], None]], cache: None) -> None:
        device, vanish = vanishing

        def vanish_when_it_runs(stage: str, fraction: float) -> None:
            if stage == "measure" and fraction == 0:
                vanish()

        settings = self.settings(device, min_seconds=5.0)
        with pytest.raises(DeviceGone) as failure:
            runner(device).measure(convolutions(), settings, vanish_when_it_runs)
        assert "\n" not in str(failure.value)
