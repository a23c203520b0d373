"""What a drawing of one architecture, or of two at once, shows: plain data."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, NamedTuple

from archlab.architecture import UNetSpec
from archlab.architecture.parts import Conv

Status = Literal["kept", "changed", "added", "removed"]
MarkKind = Literal["SA", "CA", "FF"]


class Subject(NamedTuple):
    """An architecture to be drawn.

    Attributes:
        latency_ms: milliseconds by the name of a node (see `layout`), to be shown instead of MACs.
    """

    name: str
    spec: UNetSpec
    latency_ms: Mapping[str, float] | None = None


class Amount(NamedTuple):
    """A number before and after; None where a side does not have it. Of one architecture both are the same."""

    before: float | None
    after: float | None


class Total(NamedTuple):
    """A number of the whole network: what, in which unit."""

    what: str
    unit: str
    amount: Amount


class Mark(NamedTuple):
    """Self-attention (SA), cross-attention (CA) or feed-forward (FF) of a block's transformers.

    Attributes:
        number: how many of the block's transformers have it.
        changes: what changed, in words: ``K=V``, ``8→6``, ``gelu→swish``.
    """

    kind: MarkKind
    status: Status
    number: int
    changes: tuple[str, ...] = ()


class Cell(NamedTuple):
    """A residual block with its transformers, or a resampling convolution.

    Attributes:
        before, after: its name in each architecture; None where it is not there.
        conv, channels, depth: as they are after, or were where it is removed; depth is the number of transformers.
        changes: what changed beside the marks, in words: ``conv standard→separable``, ``1280→1024``, ``depth 1→13``.
        cost: MACs or latency in the drawing's unit.
    """

    before: str | None
    after: str | None
    status: Status
    conv: Conv
    channels: int
    depth: int
    marks: tuple[Mark, ...]
    changes: tuple[str, ...]
    cost: Amount


class Skip(NamedTuple):
    """A skip connection: from ``down[source]``, or from the stage's input (None), to ``up[target]`` of its row."""

    source: int | None
    target: int
    status: Status


class Row(NamedTuple):
    """A stage, or the middle, whose blocks are all in ``down``.

    Attributes:
        size: side of its feature maps.
        down, up: blocks in the order of execution, removed ones in their old places.
    """

    status: Status
    size: Amount
    channels: Amount
    down: tuple[Cell, ...]
    up: tuple[Cell, ...] = ()
    skips: tuple[Skip, ...] = ()
    downsample: Cell | None = None
    upsample: Cell | None = None


class Level(NamedTuple):
    """A line of a stage as it is drawn: skips of Stable Diffusion's pattern run level.

    Attributes:
        down, up: the blocks; neither where only the stage's input passes, to a skip that does not run level.
        is_input: whether the stage's input passes here.
        skip: status of the level skip between the two sides.
    """

    down: Cell | None
    up: Cell | None
    is_input: bool
    skip: Status | None


class DrawingInfo(NamedTuple):
    """A drawing as data.

    Attributes:
        names: one architecture's name, or the two's.
        unit: of the cells' costs: ``G`` (MACs) or ``ms``.
        changes: what changed in the whole network, in words: ``context width 768→1024``.
        rows: stages from the highest resolution to the lowest.
    """

    names: tuple[str, ...]
    unit: Literal["G", "ms"]
    totals: tuple[Total, ...]
    changes: tuple[str, ...]
    rows: tuple[Row, ...]
    middle: Row

    @property
    def compares(self) -> bool:
        """Whether two architectures are drawn as one."""
        return len(self.names) == 2

    @property
    def blocks(self) -> tuple[Cell, ...]:
        """All blocks, without resampling."""
        return tuple(cell for row in (*self.rows, self.middle) for cell in row.down + row.up)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All blocks and resampling convolutions."""
        resampling = (cell for row in self.rows for cell in (row.downsample, row.upsample) if cell is not None)
        return (*self.blocks, *resampling)

    @property
    def counts(self) -> Counter[Status]:
        """How many blocks were kept, changed, added and removed."""
        return Counter(cell.status for cell in self.blocks)

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing differs."""
        return not self.changes and all(cell.status == "kept" for cell in self.cells)


def levels(row: Row) -> list[Level]:
    """The row's lines from top to bottom: the way down fills them from the bottom, its last block lowest, and the way
    up rises from there, so that a block stands beside the one whose output it takes."""
    takes_input = any(skip.source is None for skip in row.skips)
    height = max(len(row.down) + takes_input, len(row.up))
    level_skips = {skip.target: skip.status for skip in row.skips if is_level(row, skip)}
    return [
        Level(
            down=row.down[len(row.down) - 1 - k] if k < len(row.down) else None,
            up=row.up[k] if k < len(row.up) else None,
            is_input=k >= len(row.down),
            skip=level_skips.get(k),
        )
        for k in reversed(range(height))
    ]


def is_level(row: Row, skip: Skip) -> bool:
    """Whether the skip runs level in the drawing."""
    return skip.target == (len(row.down) if skip.source is None else len(row.down) - 1 - skip.source)
