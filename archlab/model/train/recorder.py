"""What a training leaves in its folder while it goes on, and who hears of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from archlab.checkpoint import Checkpoint
from archlab.model.train.curve import Point, write_curve
from archlab.model.train.pictures import Drawing, draw_pictures
from archlab.model.train.state import Begun, State
from archlab.model.train.watcher import TrainingWatcher
from archlab.progress import tell
from archlab.training.processes import ALONE, Processes


@dataclass(frozen=True, eq=False)
class Recorder:
    """Writes a training's checkpoints, curve and pictures, and tells its watchers.

    Attributes:
        uid: of the training, however often it goes on.
        is_first: of several processes that train together this one writes; the others write nothing.
    """

    state: State
    uid: str
    watchers: Sequence[TrainingWatcher]
    is_first: bool = True

    @property
    def folder(self) -> Path:
        """That the training will have made."""
        return self.state.model

    def tell(self, event: str, *arguments: Any) -> None:
        """Call this method of every watcher."""
        tell(self.watchers, event, *arguments)

    def save(self, checkpoint: Checkpoint, curve: Sequence[Point], keep: int) -> None:
        """Write the state after the curve's last step, and the curve; see `State.write`."""
        self.state.write(len(curve), self.uid, checkpoint, keep)
        write_curve(self.folder / "curve.csv", curve)

    def draw(self, drawing: Drawing, prompts: Sequence[str], step: int, name: str, at_once: int) -> Tensor:
        """Draw the prompts, write the pictures as ``samples/<name>.png``, and tell of them: [N, C, H, W].

        Args:
            at_once: images in memory.
        """
        path = self._picture(name)
        images = draw_pictures(drawing, prompts, path, at_once, lambda share: self.tell("drawing", share))
        self.tell("drawn", step, path)
        return images

    def is_drawn(self, name: str) -> bool:
        """Whether there is a picture of that name."""
        return self._picture(name).is_file()

    def _picture(self, name: str) -> Path:
        return self.folder / "samples" / f"{name}.png"


def begin_record(
    state: State, now: Begun, watchers: Sequence[TrainingWatcher], processes: Processes = ALONE
) -> tuple[Recorder, Checkpoint | None]:
    """Begin a training's record, or go on with the one there is.

    Args:
        now: with what; where a training is there already, its ``uid`` stays.

    Returns:
        The recorder, and the newest checkpoint; None where nothing was trained yet.

    Raises:
        BadInput: the one there is was begun with something else, or is damaged.
    """
    if processes.is_first:
        if (begun := state.begun()) is not None:
            state.check(begun, now)
            now = replace(now, uid=begun.uid)
        state.begin(now)
    processes.wait()
    now = state.begun() or now  # the first one's
    recorder = Recorder(state, now.uid, watchers, processes.is_first)
    return recorder, state.newest(now.uid, lambda line: recorder.tell("notice", line))
