"""Set before anything is imported: one thread for each of pytest's workers, and a cache of the session's own."""

import atexit
import os
import shutil
import tempfile

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["ARCHLAB_CACHE"] = tempfile.mkdtemp(prefix="archlab-tests-")
atexit.register(shutil.rmtree, os.environ["ARCHLAB_CACHE"], ignore_errors=True)
