"""A training on disk: ``state/`` in the model's folder, from which it goes on."""

import shutil
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import filelock
from pydantic import ConfigDict

from archlab.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from archlab.errors import BadInput, RunFailed
from archlab.evaluation.fact import STRICT, Whole, read_fact, write_fact
from archlab.files import is_full, writable_folder
from archlab.model.folder import is_model
from archlab.section import Section

_RECORD = "training.json"
_NAME = "step-{step:06}.safetensors"
_LEFT = {"curve.csv", "samples", "wandb"}  # of a training whose state was removed


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What a training was begun with: ``state/training.json``. It goes on with the same or not at all.

    Attributes:
        uid: of this training, however often it goes on; its checkpoints bear it.
        architecture: content hash of the network that learns.
        settings: all of them, as YAML has them.
        images_per_step: of all processes together.
        data_id, encoders_id: content hashes of the data at the image size, and of what encodes it.
        teacher_id: content hash of the teacher's weights.
        archlab: the version that began it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    uid: str
    architecture: str
    settings: dict[str, Any]
    images_per_step: Whole
    data_id: str
    encoders_id: str
    teacher_id: str | None = None
    archlab: str


class State:
    """``state/`` of the folder of what is trained, whoever holds it.

    Args:
        model: that folder.
        is_finished: whether what is trained is there.
    """

    def __init__(self, model: Path, is_finished: Callable[[Path], bool] = is_model) -> None:
        self.model, self.path = model, model / "state"
        self._is_finished = is_finished

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the lock ends with the process, however it ends.

        Where nothing was begun in the end there is no folder that was not there before.

        Raises:
            BadInput: another run holds it, or the folder cannot be written, or it holds something else.
        """
        self._check_place()
        writable_folder(self.path)
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise BadInput(f"{self.model} is in use by another archlab run; wait for it or stop it") from None
        try:
            for leftover in self.path.glob(".step-*"):  # of a process that was killed while it wrote
                leftover.unlink(missing_ok=True)
            yield
        finally:
            lock.release()
            if not (self.path / _RECORD).is_file() and not self._checkpoints():
                shutil.rmtree(self.path, ignore_errors=True)
                with suppress(OSError):  # it is not empty
                    self.model.rmdir()

    def begun(self) -> Begun | None:
        """What the training was begun with; None for a new one.

        Raises:
            BadInput: somebody damaged it, or the record of what the checkpoints belong to is gone.
        """
        record = self.path / _RECORD
        if record.is_file():
            return read_fact(Begun, record, self._mend)
        if self._checkpoints():
            raise BadInput(f"{record}: is gone, and there are checkpoints; {self._mend}")
        return None

    def begin(self, begun: Begun) -> None:
        """Write down what a training is begun with, or goes on with; what an earlier one has left is deleted."""
        before = self.begun()
        if before is None:
            shutil.rmtree(self.model / "samples", ignore_errors=True)
        if before != begun:
            write_fact(begun, self.path / _RECORD)

    def newest(self, uid: str, say: Callable[[str], None]) -> Checkpoint | None:
        """The newest checkpoint that can be read; None where none was ever written.

        Damaged ones that are newer are deleted: they would be taken for the last ones to be kept.

        Raises:
            BadInput: there are some, and none can be read.
        """
        paths = self._checkpoints()
        for index, path in enumerate(reversed(paths)):
            checkpoint = read_checkpoint(path, uid)
            if checkpoint is not None:
                for damaged in paths[len(paths) - index :]:
                    damaged.unlink(missing_ok=True)
                    say(f"{damaged} is damaged: going on from the one before, at step {_step(path)}")
                return checkpoint
        if paths:
            raise BadInput(f"{paths[-1]}: no checkpoint there can be read; {self._mend}")
        return None

    def write(self, step: int, uid: str, checkpoint: Checkpoint, keep: int) -> None:
        """Write a checkpoint, whole or not at all, and delete all but the last ``keep``."""
        write_checkpoint(self.path / _NAME.format(step=step), uid, checkpoint)
        for old in self._checkpoints()[:-keep]:
            old.unlink()

    @contextmanager
    def naming_full_disk(self) -> Iterator[None]:
        """Run the block, which writes below the model's folder.

        Raises:
            RunFailed: there is no room; what was written before is kept.
        """
        try:
            yield
        except OSError as error:
            if not is_full(error):
                raise
            there = self._checkpoints()
            kept = f"its state at step {_step(there[-1]):,} is kept; " if there else ""
            raise RunFailed(
                f"{self.model}: the disk is full; {kept}free some of it and go on with the same command"
            ) from None

    def check_settings(self, begun: Begun, settings: Section, decides_nothing: Set[str]) -> None:
        """Refuse to go on with other settings, as far as the settings alone tell.

        Args:
            decides_nothing: settings that may be others.

        Raises:
            BadInput: it would not be the same training; the message has the key and both values.
        """
        was, are = begun.settings, settings.model_dump(mode="json")
        for key in are:
            if key not in decides_nothing and was.get(key) != are[key]:
                raise self.refused(f"{key} was {_said(was.get(key))} when it began and is {_said(are[key])} now")

    def check_steps(self, begun: Begun, steps: int) -> None:
        """Refuse to go on to fewer steps than before, likewise."""
        if steps < begun.settings["steps"]:
            raise self.refused(f"steps was {begun.settings['steps']} when it began and is {steps} now")

    def check(self, begun: Begun, now: Begun) -> None:
        """Refuse to go on with something else than it was begun with, likewise; their ``uid`` may differ."""
        source, other = now.settings["data"], begun.settings["data"]
        if begun.data_id != now.data_id:
            is_other = f"it began with the data {other}, which are not {source}"
            raise self.refused(f"the data {source} have changed since it began" if source == other else is_other)
        if begun.encoders_id != now.encoders_id:
            raise self.refused("vae or text are other encoders than when it began, or run on another device")
        if begun.architecture != now.architecture:
            raise self.refused(f"it began with the architecture {begun.architecture}, not {now.architecture}")
        if begun.images_per_step != now.images_per_step:
            of_all = f"{begun.images_per_step} when it began and is {now.images_per_step} now"
            raise self.refused(f"batch_size times the number of processes was {of_all}")
        if begun.teacher_id != now.teacher_id:
            raise self.refused("the model or teacher that it learns from is another, or has changed since it began")

    @property
    def _mend(self) -> str:
        gone = self.model if self._is_finished(self.model) else self.path
        return f"give --out another folder, or remove {gone} to begin anew"

    def refused(self, why: str) -> BadInput:
        """The error of a training that would not be the same."""
        return BadInput(f"{self.model} cannot go on: {why}; {self._mend}")

    def _check_place(self) -> None:
        there = {path.name for path in self.model.iterdir()} if self.model.is_dir() else set()
        if there <= _LEFT or self.path.is_dir():
            return
        if self._is_finished(self.model):
            raise BadInput(f"{self.model} is finished, without state/ to go on from; {self._mend}")
        raise BadInput(f"{self.model}: is not empty and no training of archlab's; give --out another folder")

    def _checkpoints(self) -> list[Path]:
        return sorted(self.path.glob("step-*.safetensors"), key=_step)


def _step(path: Path) -> int:
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1


def _said(value: object) -> str:
    return "absent" if value is None else str(value)
