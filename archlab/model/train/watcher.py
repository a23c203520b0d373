"""What hears of a model's training: a live display, a run of W&B."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archlab.model.train.curve import Point
from archlab.section import Section


@dataclass(frozen=True, kw_only=True)
class Start:
    """A training that begins or goes on.

    Attributes:
        folder: of the model.
        uid: of this training, however often it goes on.
        steps: of the optimiser in all.
        params: of the network.
        architecture: content hash.
        images_per_step: of all processes together.
        prompt: one that pictures are drawn of.
        curve: what earlier runs have made.
    """

    folder: Path
    uid: str
    settings: Section
    steps: int
    architecture: str
    params: int
    images_per_step: int
    prompt: str
    curve: Sequence[Point]

    @property
    def name(self) -> str:
        """The model's."""
        return self.folder.resolve().name


class TrainingWatcher:
    """Hears of a training's progress, one call at a time; what a watcher does not care for it does not define."""

    def making_ready(self, stage: str, share: float) -> None:
        """What is done before the first step: this share of the stage is."""

    def training_started(self, start: Start) -> None:
        """Data and network are there."""

    def stepped(self, points: Sequence[Point]) -> None:
        """Steps were made, one or more."""

    def validated(self, point: Point) -> None:
        """A step whose validation loss is known now."""

    def drawing(self, share: float) -> None:
        """Pictures are drawn; this share of them is."""

    def drawn(self, step: int, picture: Path) -> None:
        """Pictures of the network after so many steps are there."""

    def notice(self, line: str) -> None:
        """Something that the user should know."""

    def training_finished(self, folder: Path) -> None:
        """The model is whole."""
