"""A model's training as one run of W&B: its curve and its pictures, while they come."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from archlab.model.train.curve import Point
from archlab.model.train.watcher import Start, TrainingWatcher
from archlab.tracking.mirror import MirrorMode, find_wandb
from archlab.tracking.wandb_run import PATIENCE, Patience, begin_run, cause, drop_earlier


class TrainingMirror(TrainingWatcher):
    """A watcher that mirrors a training; a context manager, at whose end all is sent.

    The training never waits for W&B, nor does it stop where that fails: an online run goes on offline, an offline one
    stops, and ``remark`` says so. A training that goes on goes to the same run, which gets the steps that it lacks.

    Attributes:
        place: where the run is to be looked at; None before there is one.

    Raises:
        MissingExtra, BadInput: see `archlab.tracking.open_mirror`.
    """

    def __init__(self, mode: MirrorMode, patience: Patience = PATIENCE) -> None:
        self._wandb, found, self.remark = find_wandb(mode)
        self._mode = found if found != "disabled" else None
        self._patience = patience
        self.place: str | None = None
        self._start: Start | None = None
        self._run: Any = None
        self._known: dict[int, dict[str, Any]] = {}
        self._pictures: dict[int, Path] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mirror")

    def __enter__(self) -> "TrainingMirror":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed = kind is not None and issubclass(kind, Exception)
        self._later(lambda: self._finish(failed))
        self._thread.shutdown()

    def training_started(self, start: Start) -> None:
        """Begin the run, or take it up, with what earlier runs of the training have made."""
        self._start = start
        for point in start.curve:
            self._known[point.step] = _logged(point)
        pictures = {step: start.folder / "samples" / f"step-{step:06}.png" for step in self._known}
        self._pictures = {step: path for step, path in pictures.items() if path.is_file()}
        self._later(lambda: None)

    def stepped(self, points: Sequence[Point]) -> None:
        """Send their losses and learning rates."""
        self._log({point.step: _logged(point) for point in points})

    def validated(self, point: Point) -> None:
        """Send its validation loss."""
        self._log({point.step: _logged(point)})

    def drawn(self, step: int, picture: Path) -> None:
        """Send the picture."""

        def send() -> None:
            self._pictures[step] = picture
            self._run.log(self._picture(step), step=step)

        self._later(send)

    def _log(self, points: dict[int, dict[str, Any]]) -> None:
        def send() -> None:
            self._known |= points
            for step, point in points.items():
                self._run.log(point, step=step)

        self._later(send)

    def _later(self, do: Callable[[], None]) -> None:
        """In the mirror's thread, with the run open, where W&B has not failed for good."""
        if self._start is not None:
            self._thread.submit(self._in_spite_of_failures, do)

    def _in_spite_of_failures(self, do: Callable[[], None]) -> None:
        while self._mode is not None:
            try:
                if self._run is None:
                    self._open()
                do()
                break
            except Exception as error:  # whatever W&B, its server or the disk does, the training goes on
                self._give_way(error)

    def _open(self) -> None:
        """Begin the run with all that is known, as far as W&B does not have it."""
        start, mode = self._start, self._mode
        assert start is not None
        assert mode is not None
        self._run = run = begin_run(
            self._wandb,
            mode,
            start.folder,
            identity=("training", start.uid),
            name=start.name,
            group=start.name,
            job_type="training",
            config={
                "architecture": start.architecture,
                "params": start.params,
                **start.settings.model_dump(mode="json"),
            },
            patience=self._patience,
        )
        self.place = run.url or str(start.folder / "wandb")
        drop_earlier(run, start.folder)
        for step in sorted({*self._known, *self._pictures}):
            if step >= run.starting_step:
                run.log({**self._known.get(step, {}), **self._picture(step)}, step=step)

    def _picture(self, step: int) -> dict[str, Any]:
        path = self._pictures.get(step)
        return {} if path is None or not path.is_file() else {"samples": self._wandb.Image(str(path))}

    def _finish(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))

    def _give_way(self, error: Exception) -> None:
        with suppress(Exception):
            self._wandb.teardown(exit_code=1)  # the failed run holds its id until W&B's process ends
        assert self._start is not None
        self._run = None
        if self._mode == "online":
            self._mode, kept = "offline", self._start.folder / "wandb"
            self.remark = f"W&B failed ({cause(error)}): the run is kept in {kept}; send it with `wandb sync`"
        else:
            self._mode = None
            self.remark = f"W&B failed ({cause(error)}): the training is no longer mirrored"


def _logged(point: Point) -> dict[str, Any]:
    known = {"train/loss": point.loss, "train/learning_rate": point.learning_rate, "train/seconds": point.seconds}
    return known if point.val_loss is None else {**known, "val_loss": point.val_loss}
