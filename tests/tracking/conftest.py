"""No W&B settings of the person who runs the tests, and nothing of W&B outside of a test's folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tracking.stand_in import StandIn


@pytest.fixture(autouse=True)
def _no_wandb_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for name in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / f"wandb-{name.lower()}"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A stand-in of W&B's server that this process is logged in to."""
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    with StandIn() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        wandb.teardown()  # what an earlier test of this process set up knows another server
        yield server
        wandb.teardown()
