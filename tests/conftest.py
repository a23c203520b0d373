"""Set before anything is imported: one thread for each of pytest's workers, a cache of the session's own, and Ctrl-C
for the programs that tests start, which a shell takes from what it runs in the background."""

import atexit
import os
import shutil
import signal
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["ARCHLAB_CACHE"] = tempfile.mkdtemp(prefix="archlab-tests-")
atexit.register(shutil.rmtree, os.environ["ARCHLAB_CACHE"], ignore_errors=True)
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.small_proxy"]
