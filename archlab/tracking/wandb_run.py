"""One run of W&B: begun, taken up again, and given way where W&B fails."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Patience:
    """How many seconds an online run may take to begin and to end before the mirror goes on offline."""

    begin: int = 30
    end: int = 60


PATIENCE = Patience()


def begin_run(
    wandb: Any,
    mode: Literal["online", "offline"],
    folder: Path,
    *,
    identity: tuple[str, ...],
    name: str,
    group: str,
    job_type: str,
    config: dict[str, Any],
    tags: list[str] | None = None,
    patience: Patience = PATIENCE,
) -> Any:
    """The run of that identity, new or taken up; on this computer its files are in ``<folder>/wandb``."""
    wandb.setup(settings=wandb.Settings(silent=True))  # its warnings ask the process, not the run
    folder.mkdir(parents=True, exist_ok=True)
    return wandb.init(
        project=os.environ.get("WANDB_PROJECT") or "archlab",
        group=group,
        job_type=job_type,
        name=name,
        id=hashlib.sha256("/".join(identity).encode()).hexdigest()[:16],
        resume="allow",
        reinit="create_new",
        config=config,
        tags=tags,
        settings=wandb.Settings(
            mode=mode,
            root_dir=str(folder),
            silent=True,
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            init_timeout=patience.begin,
            finish_timeout=patience.end,
            finish_timeout_raises=True,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )


def drop_earlier(run: Any, folder: Path) -> None:
    """Delete what the run replaces on this computer: ``wandb sync`` would only send it again."""
    latest = Path(run.settings.sync_dir).name
    for earlier in (folder / "wandb").glob(f"*run-*-{run.id}"):
        if earlier.name != latest:
            shutil.rmtree(earlier, ignore_errors=True)


def cause(error: Exception) -> str:
    """The first line of what W&B said."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
