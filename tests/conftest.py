"""Set before anything is imported: one thread for each of pytest's workers, a cache of the session's own, and Ctrl-C
for the programs that tests start, which a shell takes from what it runs in the background."""

import atexit
import os
import shutil
import signal
import tempfile

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["ARCHLAB_CACHE"] = tempfile.mkdtemp(prefix="archlab-tests-")
atexit.register(shutil.rmtree, os.environ["ARCHLAB_CACHE"], ignore_errors=True)
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.small_proxy"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that no worker is left with minutes of them when the others have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
