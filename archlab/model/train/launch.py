"""Start this command in several processes that train together."""

import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from archlab.errors import RunFailed, require
from archlab.remarks import unheard

_FIRST_LINE_ALONE = 1  # rank from which on processes say nothing: they would repeat what the first one says


def is_launched() -> bool:
    """Whether a launcher has started this process: ``accelerate launch``, ``torchrun``."""
    return "WORLD_SIZE" in os.environ


def is_first() -> bool:
    """Whether this process speaks for all that a launcher has started."""
    return os.environ.get("RANK", "0") == "0"


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run ``archlab`` with these arguments in so many processes, by torch's launcher, on which accelerate's stands.

    Accelerate's own command starts several processes on GPUs only.

    Returns:
        The exit code of the process that failed first, which has said why; 0 where none has.

    Raises:
        MissingExtra: accelerate is not installed.
        RunFailed: another process than the first one failed.
    """
    require("accelerate", "training in several processes", "accelerate")

    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    with tempfile.TemporaryDirectory(prefix="archlab-processes-") as logs:
        silent = dict.fromkeys(range(_FIRST_LINE_ALONE, processes), Std.ALL)
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=secrets.token_hex(8),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=logs, redirects=silent),
        )
        try:
            with unheard("elastic"):
                elastic_launch(config, sys.executable)("-m", "archlab", *arguments)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            if rank:
                raise RunFailed(f"process {rank} of {processes} failed: {_last_line(Path(logs), rank)}") from None
            return failure.exitcode
    return 0


def _last_line(logs: Path, rank: int) -> str:
    lines = [line for path in logs.rglob("stderr.log") if path.parent.name == str(rank) for line in _lines(path)]
    return lines[-1].removeprefix("archlab: ") if lines else "it said nothing"


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
