"""Devices of tests, registered as any other."""

import pytest

from archlab.latency.devices.kind import DeviceKind
from archlab.latency.devices.registry import KINDS
from archlab.latency.runner import Runner


def register(patch: pytest.MonkeyPatch, kind: DeviceKind) -> None:
    """What one line of the registry does."""
    patch.setitem(KINDS.entries, kind.name, kind)


def register_runner(patch: pytest.MonkeyPatch, runner: Runner) -> None:
    """A kind that has this device alone."""
    name = runner.name
    register(patch, DeviceKind(name=name, usage=name, pattern=name, runner=lambda: runner, names=lambda: [name]))
