"""What a lesson is: what a network learns from, apart from the loop in which it learns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from archlab.diffusion.process import Process
from archlab.section import Section, SectionT
from archlab.training.examples import Examples
from archlab.unet import UNet


class Batch(Protocol):
    """What the loop does with a batch, whatever is in it."""

    @property
    def images(self) -> int:
        """How many there are."""

    def split(self, size: int) -> Iterator[Self]:
        """Parts of at most so many images."""

    def to(self, device: torch.device) -> Self:
        """The batch on that device."""


BatchT = TypeVar("BatchT", bound=Batch)


class Lesson(ABC, Generic[BatchT]):
    """What a network learns from. One object lasts for one training, and is handed to it with the network.

    At each step the loop takes a batch, asks for the losses of its parts, follows the gradient of their mean with one
    optimiser over the network and `modules`, averages the network's weights, and calls `after_step`. Whatever a lesson
    needs beside that it owns: a teacher, a discriminator with an optimiser of its own, the halving it has come to. Its
    random numbers come from the generator that `batches` is given, which the loop saves; everything else that the next
    step depends on is in `state`.
    """

    @property
    def modules(self) -> nn.Module:
        """What the loop trains beside the network, and throws away in the end."""
        return nn.Module()

    @abstractmethod
    def batches(self, generator: torch.Generator) -> Iterator[BatchT]:
        """Batches without end, on the CPU. Nothing is known between two of them but the generator's state."""

    @abstractmethod
    def losses(self, batch: BatchT) -> Tensor:
        """The loss of each image of a part of a batch, on the network's device: [B].

        Called under the training's precision. Only the network's and the `modules`' gradients may be left behind.
        """

    def after_step(self, parts: Sequence[BatchT]) -> None:
        """What else is done in a step, when the network has made its own: for example a second network's update.

        Called under the training's precision.

        Args:
            parts: of the step's batch, on the device, each as large as memory holds.
        """

    def remarks(self) -> list[str]:
        """What a person should know of how it goes, while there is time to stop: one line each."""
        return []

    def state(self) -> dict[str, Tensor]:
        """What the next step depends on beside the network, the `modules` and the generator."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Materials:
    """What lessons are made of.

    Attributes:
        network: learns, on the device where it is.
        examples: captioned images, and what the network predicts of them.
        teacher: a trained network, where there is one; a lesson copies it.
        teacher_process: what that one predicts; absent: the same as the network.
        few_step_teacher: one that draws in as few steps as the network shall, and predicts the same.
        settings: of the lesson, in a section of its own.
        seed: of whatever a lesson begins with at random.
    """

    network: UNet
    examples: Examples
    settings: Section
    seed: int
    teacher: UNet | None = None
    teacher_process: Process | None = None
    few_step_teacher: UNet | None = None

    def settings_of(self, kind: type[SectionT]) -> SectionT:
        """The settings, which are of this kind.

        Raises:
            ValueError: they are another lesson's.
        """
        if not isinstance(self.settings, kind):
            raise ValueError(f"the lesson needs {kind.__name__}, not {type(self.settings).__name__}")
        return self.settings

    def taught_by(self) -> UNet:
        """The teacher.

        Raises:
            ValueError: there is none.
        """
        if self.teacher is None:
            raise ValueError("the lesson needs a teacher")
        return self.teacher


MakeLesson = Callable[[Materials], Lesson[Any]]
