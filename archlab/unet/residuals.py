"""What a control network adds to a UNet's feature maps."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Residuals(NamedTuple):
    """Tensors [B, C, h, w] in the shapes of `archlab.architecture.residual_places`.

    Attributes:
        skips: one for each entry of the stages' stacks, in order (ControlNet, arXiv 2302.05543); empty for none.
        middle: for what the middle gives out; where there is no middle, the last stage.
        stages: one a stage, for the end of its way down (T2I-Adapter, arXiv 2302.08453); empty for none.
    """

    skips: Sequence[Tensor] = ()
    middle: Tensor | None = None
    stages: Sequence[Tensor] = ()

    @property
    def tensors(self) -> list[Tensor]:
        """All of them in one order: skips, then the middle; or stages."""
        return [*self.skips, *([] if self.middle is None else [self.middle]), *self.stages]

    @classmethod
    def of_tensors(cls, tensors: Sequence[Tensor], *, of_stages: bool) -> "Residuals":
        """Those that have these `tensors`."""
        return cls(stages=tensors) if of_stages else cls(skips=tensors[:-1], middle=tensors[-1])

    def times(self, factor: float) -> "Residuals":
        """All of them multiplied."""
        return Residuals(
            [skip * factor for skip in self.skips],
            None if self.middle is None else self.middle * factor,
            [stage * factor for stage in self.stages],
        )


NO_RESIDUALS = Residuals()
