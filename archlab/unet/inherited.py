"""What an inheriting UNet took from its parent, as plain data."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

How = Literal["kept", "fitted", "trimmed", "new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InheritedTensors:
    """Where the weights of one layer come from.

    Attributes:
        part: the block or other node of `archlab.architecture.layout`, or an embedding.
        tensors: the layer within it.
        how: ``kept`` as they were; ``trimmed`` to their most important channels; ``fitted`` to do nearly what other
            weights did; ``new``, among them channels that a wider layer has more.
        params: number of weights.
        error: norm of what changed in the layer's output over the norm of the output, on the calibration data or on
            white noise (keys and values: of the attention's output; ``rank one``: of the weights); None where nothing
            was estimated.
        note: how the fit was made, or by what a feed-forward's neurons were chosen.
    """

    part: str
    tensors: str
    how: How
    params: int
    error: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Inheritance:
    """What a UNet took from its parent.

    Attributes:
        parent: content hash of the parent's spec.
        rows: every weight of the child once.
        dropped: weights of the parent that nothing took over, by part; parts that lost nothing are not there.
    """

    parent: str
    rows: tuple[InheritedTensors, ...]
    dropped: dict[str, int]

    @property
    def params(self) -> dict[How, int]:
        """Number of the child's weights by where they come from."""
        totals: Counter[How] = Counter()
        for row in self.rows:
            totals[row.how] += row.params
        return {how: totals[how] for how in get_args(How)}

    @property
    def params_dropped(self) -> int:
        """Number of the parent's weights that nothing took over."""
        return sum(self.dropped.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return {**asdict(self), "params": self.params, "params_dropped": self.params_dropped}
