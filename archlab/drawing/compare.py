"""From specs to a drawing's data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from archlab.architecture import Node, UNetSpec, layout, map_blocks, match, match_stages
from archlab.cost import count
from archlab.drawing.changes import compare_marks, node_changes, own_marks, setting_changes
from archlab.drawing.info import Amount, Cell, DrawingInfo, Row, Skip, Status, Subject, Total

_Item = TypeVar("_Item")
_Pair = tuple[_Item | None, _Item | None]  # before, after


def drawing_info(subject: Subject, before: Subject | None = None) -> DrawingInfo:
    """The drawing of an architecture or, with ``before``, of what became of that one."""
    return _Union(before or subject, subject).info(compares=before is not None)


class _Side:
    """One architecture with its nodes and their costs by name; attributes without effect do not count."""

    def __init__(self, subject: Subject, shows_latency: bool) -> None:
        self.spec: UNetSpec = map_blocks(subject.spec, lambda block, _: block.canonical())
        self.nodes: dict[str, Node] = {node.name: node for node in layout(self.spec)}
        self.total = count(self.spec)
        self.latency_ms = subject.latency_ms
        macs_g = {part.name: part.macs / 1e9 for part in self.total.by_block}
        self.costs: Mapping[str, float] = (subject.latency_ms or {}) if shows_latency else macs_g

    def size(self, stage: int) -> int:
        """Side of the stage's feature maps."""
        return self.nodes[f"down.{stage}.0"].size

    def stage_input(self, stage: int) -> str:
        """The node whose output enters the stage."""
        names = list(self.nodes)
        return names[names.index(f"down.{stage}.0") - 1]


class _Union:
    """Two architectures as one; both may be the same."""

    def __init__(self, before: Subject, after: Subject) -> None:
        self.names = (before.name, after.name)
        self.unit_is_ms = before.latency_ms is not None or after.latency_ms is not None
        self.before, self.after = (_Side(subject, self.unit_is_ms) for subject in (before, after))
        self.origin = match(self.before.spec, self.after.spec)

    def info(self, compares: bool) -> DrawingInfo:
        old, new = self.before.spec, self.after.spec
        stages = _merge(range(len(old.stages)), range(len(new.stages)), match_stages(old, new))
        last = (len(old.stages) - 1, len(new.stages) - 1)
        middle = self._cells(lambda _: "middle.", (0, 0), (len(old.middle), len(new.middle)))
        return DrawingInfo(
            names=self.names if compares else self.names[1:],
            unit="ms" if self.unit_is_ms else "G",
            totals=tuple(self._totals()),
            changes=setting_changes(old, new),
            rows=tuple(self._row(pair) for pair in sorted(stages, key=self._halving)),
            middle=self._labelled(last, middle),
        )

    def _halving(self, pair: _Pair[int]) -> int:
        """By what the resolution of the stage is divided."""
        for side, stage in zip((self.before, self.after), pair, strict=True):
            if stage is not None:
                return side.spec.sample_size // side.size(stage)
        raise AssertionError("a stage of neither")

    def _row(self, pair: _Pair[int]) -> Row:
        def blocks(way: str) -> tuple[Cell, ...]:
            numbers = [
                0 if stage is None else len(getattr(side.spec.stages[stage], way))
                for side, stage in zip((self.before, self.after), pair, strict=True)
            ]
            return self._cells(lambda stage: f"{way}.{stage}.", pair, (numbers[0], numbers[1]))

        down, up = blocks("down"), blocks("up")
        return self._labelled(pair, down)._replace(
            up=up,
            skips=tuple(self._skips(pair, down, up)),
            downsample=self._resampling("downsample", pair),
            upsample=self._resampling("upsample", pair),
        )

    def _labelled(self, pair: _Pair[int], down: tuple[Cell, ...]) -> Row:
        old, new = pair
        return Row(
            status="added" if old is None else "removed" if new is None else "kept",
            size=Amount(*(None if s is None else side.size(s) for side, s in self._sides(pair))),
            channels=Amount(*(None if s is None else side.spec.stages[s].channels for side, s in self._sides(pair))),
            down=down,
        )

    def _sides(self, pair: _Pair[_Item]) -> Iterable[tuple[_Side, _Item | None]]:
        return zip((self.before, self.after), pair, strict=True)

    def _cells(self, prefix: Callable[[int], str], pair: _Pair[int], numbers: tuple[int, int]) -> tuple[Cell, ...]:
        old, new = (
            [] if stage is None else [f"{prefix(stage)}{k}" for k in range(number)]
            for stage, number in zip(pair, numbers, strict=True)
        )
        return tuple(self._cell(names) for names in _merge(old, new, self.origin))

    def _resampling(self, kind: str, pair: _Pair[int]) -> Cell | None:
        names = [
            None if s is None or f"{kind}.{s}" not in side.nodes else f"{kind}.{s}" for side, s in self._sides(pair)
        ]
        return self._cell((names[0], names[1])) if any(names) else None

    def _cell(self, names: _Pair[str]) -> Cell:
        old, new = (None if name is None else side.nodes[name] for side, name in self._sides(names))
        node = new or old
        assert node is not None
        changes: tuple[str, ...] = ()
        status: Status
        if old and new:
            changes, marks = node_changes(old, new), compare_marks(old.transformers, new.transformers)
            changed = changes or any(mark.status != "kept" for mark in marks)
            status = "changed" if changed else "kept"
        else:
            status = "added" if new else "removed"
            marks = own_marks(node.transformers, status)
        return Cell(
            before=names[0],
            after=names[1],
            status=status,
            conv=node.conv,
            channels=node.out_channels,
            depth=len(node.transformers),
            marks=marks,
            changes=changes,
            cost=Amount(*(None if name is None else side.costs.get(name) for side, name in self._sides(names))),
        )

    def _skips(self, pair: _Pair[int], down: Sequence[Cell], up: Sequence[Cell]) -> Iterable[Skip]:
        names = ([cell.before for cell in (*down, *up)], [cell.after for cell in (*down, *up)])
        old, new = (
            set() if stage is None else set(_wiring(side, stage, known[: len(down)], known[len(down) :]))
            for (side, stage), known in zip(self._sides(pair), names, strict=True)
        )
        for source, target in sorted(old | new, key=lambda ends: (ends[1], ends[0] is None, ends[0])):
            both = (source, target) in old and (source, target) in new
            yield Skip(source, target, "kept" if both else "added" if (source, target) in new else "removed")

    def _totals(self) -> Iterable[Total]:
        old, new = self.before, self.after
        yield Total("params", "M", Amount(old.total.params / 1e6, new.total.params / 1e6))
        yield Total("MACs", "G", Amount(old.total.macs / 1e9, new.total.macs / 1e9))
        if self.unit_is_ms:
            sums = (None if side.latency_ms is None else sum(side.latency_ms.values()) for side in (old, new))
            yield Total("latency, sum of parts", "ms", Amount(*sums))


def _wiring(
    side: _Side, stage: int, down: Sequence[str | None], up: Sequence[str | None]
) -> Iterable[tuple[int | None, int]]:
    """Skips of one architecture's stage as indices into the union's blocks."""
    for target, name in enumerate(up):
        source = side.nodes[name].skip_from if name is not None else None
        if source is not None:
            yield (None if source == side.stage_input(stage) else down.index(source)), target


def _merge(before: Sequence[_Item], after: Sequence[_Item], origin: Mapping[_Item, _Item]) -> list[_Pair[_Item]]:
    """Both sequences in one order, what is the same paired; ``origin`` never crosses itself."""
    merged: list[_Pair[_Item]] = []
    left = list(before)
    for item in after:
        if item in origin:
            place = left.index(origin[item])
            merged += [(lost, None) for lost in left[:place]]
            merged.append((origin[item], item))
            del left[: place + 1]
        else:
            merged.append((None, item))
    return merged + [(lost, None) for lost in left]
