"""What a mirror is, and which one a study gets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from archlab.errors import BadInput, MissingExtra, nearest, require, shown
from archlab.tracking.login import is_logged_in, mode_from_environment
from archlab.tracking.rows import MirroredStudy, MirroredTrial
from archlab.tracking.wandb_mirror import WandbMirror
from archlab.tracking.wandb_run import PATIENCE, Patience

MirrorMode = Literal["auto", "online", "offline", "disabled"]
MODES: tuple[MirrorMode, ...] = ("auto", "online", "offline", "disabled")
NOT_INSTALLED = "wandb is not installed: runs are not mirrored; pip install wandb"


class Mirror(Protocol):
    """A copy of the study's table elsewhere. The local table is the truth; a mirror never stops a study."""

    @property
    def mode(self) -> Literal["online", "offline", "stopped", "disabled"]:
        """Where rows go now; it changes where W&B or the disk fails."""

    @property
    def notice(self) -> str | None:
        """One line for the person at the keyboard, if something is not mirrored as asked."""

    @property
    def place(self) -> str | None:
        """Where the mirror is to be looked at; None before anything was mirrored."""

    def trial(self, trial: MirroredTrial) -> None:
        """Mirror one trial. One that is there already is brought up to date."""

    def study(self, study: MirroredStudy) -> None:
        """Mirror the study; what is there already is brought up to date."""


class NoMirror:
    """Mirrors nothing."""

    mode: Literal["disabled"] = "disabled"
    place = None

    def __init__(self, notice: str | None = None) -> None:
        self.notice = notice

    def trial(self, trial: MirroredTrial) -> None:
        """Nothing."""

    def study(self, study: MirroredStudy) -> None:
        """Nothing."""


def open_mirror(
    mode: MirrorMode,
    study_name: str,
    study_uid: str,
    folder: Path,
    knobs: Sequence[str] = (),
    patience: Patience = PATIENCE,
) -> Mirror:
    """The mirror of a study.

    Args:
        mode: ``auto`` is what ``WANDB_MODE`` says, else online when logged in, else offline.
        study_uid: tells studies of the same name apart; a run's id follows from both and the trial's number.
        folder: W&B keeps its files in ``<folder>/wandb``.
        knobs: the columns that are a run's configuration; every other one is its summary.
        patience: with W&B's server.

    Raises:
        MissingExtra: wandb was asked for by name (online, offline) and is not installed.
        BadInput: an unknown mode, or online without being logged in.
    """
    wandb, resolved, notice = find_wandb(mode)
    if resolved == "disabled":
        return NoMirror(notice)
    return WandbMirror(wandb, resolved, study_name, study_uid, folder, knobs, patience)


def find_wandb(mode: MirrorMode) -> tuple[Any, Literal["online", "offline", "disabled"], str | None]:
    """The library W&B with what it is to do, and one line for the user where it does not do what was asked.

    Raises:
        MissingExtra, BadInput: see `open_mirror`.
    """
    if mode not in MODES:
        raise BadInput(f"wandb mode {shown(mode)} is unknown{nearest(mode, MODES)}")
    resolved = _resolve(mode)
    if resolved == "disabled":
        return None, resolved, None
    try:
        wandb = require("wandb", "mirroring runs to W&B")
    except MissingExtra:
        if mode == "auto":
            return None, "disabled", NOT_INSTALLED
        raise
    if resolved == "online" and not is_logged_in():
        raise BadInput("wandb is not logged in: run `wandb login`, set WANDB_API_KEY, or choose offline")
    return wandb, resolved, None


def _resolve(mode: MirrorMode) -> Literal["online", "offline", "disabled"]:
    if mode != "auto":
        return mode
    return mode_from_environment() or ("online" if is_logged_in() else "offline")
