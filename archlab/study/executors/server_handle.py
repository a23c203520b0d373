"""Reaches into a private part of multiprocessing, which has no public way to it. Written for Python 3.11 to 3.14."""

import os
import sys
from multiprocessing import forkserver
from typing import Any

_CHANGED = "multiprocessing has changed; workers that stand still when their driver is killed must be ended by hand"


def close_server_handle() -> None:
    """Close this worker's handle on the server of processes, which keeps the server alive beyond the driver.

    Once the driver is gone and the server with it, the operating system wakes and ends a process group that stands
    still. Where this Python has no such part, the worker's log says what that means.
    """
    server: Any = getattr(forkserver, "_forkserver", None)
    if not hasattr(server, "_forkserver_alive_fd"):
        python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        print(f"{python}: {_CHANGED}", file=sys.stderr)
    elif server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None
