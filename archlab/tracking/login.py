"""Whether W&B would accept a run from here, without asking W&B or the person at the keyboard."""

import netrc
import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

_MODES: dict[str, Literal["online", "offline", "disabled"]] = {
    "online": "online",
    "run": "online",
    "shared": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}


def mode_from_environment() -> Literal["online", "offline", "disabled"] | None:
    """What ``WANDB_MODE`` asks for; None when it is unset or no mode of W&B."""
    return _MODES.get(os.environ.get("WANDB_MODE", "").strip().lower())


def is_logged_in() -> bool:
    """Whether ``WANDB_API_KEY`` is set or a netrc file has an entry for W&B's host."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    return any(_has_entry(path, host) for path in _netrc_files())


def _netrc_files() -> list[Path]:
    named = os.environ.get("NETRC")
    return [Path(named).expanduser()] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]


def _has_entry(path: Path, host: str) -> bool:
    try:
        return host in netrc.netrc(path).hosts
    except (OSError, netrc.NetrcParseError):
        return False
