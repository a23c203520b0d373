"""A worker's handle on the server of processes that it was forked from.

Written for Python 3.11 to 3.14: ``forkserver._forkserver`` of multiprocessing is private. Without it a worker that
stands still when its driver is killed must be ended by hand.
"""

import os
from multiprocessing import forkserver
from typing import Any

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "3.11 to 3.14"


def close_server_handle() -> None:
    """Close the handle, which keeps the server alive beyond the driver.

    Once the driver is gone and the server with it, the operating system wakes and ends a process group that stands
    still.
    """
    server: Any = getattr(forkserver, "_forkserver", None)
    if not hasattr(server, "_forkserver_alive_fd"):
        instead = "workers that stand still when their driver is killed must be ended by hand"
        fall_back("multiprocessing", WRITTEN_FOR, "its server of processes has no such handle", instead)
    elif server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None
