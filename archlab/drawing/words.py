"""How a drawing's data reads, in a picture and in a terminal."""

import textwrap

from archlab.drawing.info import Amount, Cell, DrawingInfo, Row, Status

SYMBOLS: dict[Status, str] = {"kept": " ", "changed": "~", "added": "+", "removed": "−"}
_ORDER: tuple[Status, ...] = ("removed", "added", "changed", "kept")
_LONGEST_NAME = 40


def title(info: DrawingInfo) -> str:
    """``sd15 → bk_sdm_tiny``; long names lose their beginnings."""
    return " → ".join(_shortened(name) for name in info.names)


def totals(info: DrawingInfo) -> list[str]:
    """``params 859.5 M → 383.9 M (−55.3 %)``, one a total."""
    return [_total(total.what, total.unit, total.amount) for total in info.totals]


def outcome(info: DrawingInfo) -> str:
    """``5 blocks removed · 3 changed``, then what changed in the whole network."""
    if info.is_unchanged:
        return "the architectures are identical"
    counts = [(status, info.counts[status]) for status in _ORDER if info.counts[status]]
    numbers = [f"{number} {status}" for status, number in counts]
    return " · ".join([f"blocks: {', '.join(numbers)}", *info.changes])


def row_words(row: Row) -> tuple[str, str]:
    """``64×64`` and ``320 channels``."""
    size = "→".join(f"{side}×{side}" for side in _values(row.size))
    return size, "→".join(_values(row.channels)) + " channels"


def cell_name(cell: Cell) -> str:
    """``up.1.2``, or ``up.1.2→1.1`` where it is counted otherwise after."""
    if cell.before is None or cell.after is None or cell.before == cell.after:
        return cell.before or cell.after or ""
    return f"{cell.before}→{cell.after.partition('.')[2]}"


def conv_word(cell: Cell) -> str:
    """The convolutions' kind, short enough for its column: ``separable_expanded`` is ``expanded``."""
    return cell.conv.removeprefix("separable_")


def cell_words(cell: Cell) -> list[str]:
    """What changed in the cell; what is the same for both attentions is said once."""
    by_kind = {mark.kind: mark for mark in cell.marks}
    shared = [
        word
        for word in (by_kind["SA"].changes if "SA" in by_kind else ())
        if "CA" in by_kind and word in by_kind["CA"].changes
    ]
    own = [
        f"{mark.kind} {', '.join(word for word in mark.changes if word not in shared)}"
        for mark in cell.marks
        if set(mark.changes) - set(shared)
    ]
    partly = [
        f"{mark.kind} in {mark.number} of {cell.depth}"
        for mark in cell.marks
        if mark.status != "removed" and mark.number != cell.depth
    ]
    return [*cell.changes, *own, *shared, *partly]


def cell_lines(cell: Cell, width: int, *more: str) -> list[str]:
    """`cell_words`, and ``more``, on lines of that many letters; a phrase is not torn apart."""
    phrases = (phrase.replace(" ", "\N{NO-BREAK SPACE}") for phrase in (*cell_words(cell), *more))
    return textwrap.wrap(" · ".join(phrases), width, break_on_hyphens=False)


def cost_words(cell: Cell, unit: str) -> str:
    """``12.4 G``, ``12.4→8.1 G``, ``−12.4 G``, ``+8.1 G``; empty where nothing is known."""
    values = list(dict.fromkeys(_number(value) for value in cell.cost if value is not None))
    sign = SYMBOLS[cell.status] if cell.status in ("added", "removed") else ""
    return f"{sign}{'→'.join(values)} {unit}" if values else ""


def _total(what: str, unit: str, amount: Amount) -> str:
    before, after = (None if value is None else f"{value:,.4g} {unit}" for value in amount)
    if before is None or after is None or amount.before == amount.after:
        return f"{what} {after or before}"
    assert amount.before is not None
    assert amount.after is not None
    change = f"{100 * (amount.after / amount.before - 1):+.1f}".replace("-", "−")
    return f"{what} {before} → {after} ({change} %)"


def _values(amount: Amount) -> list[str]:
    return list(dict.fromkeys(f"{value:g}" for value in amount if value is not None))


def _number(value: float) -> str:
    if 0 < value < 0.001:
        return "<0.001"
    return f"{value:.3g}" if value >= 0.1 else f"{value:.2g}"


def _shortened(name: str) -> str:
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return shown if len(shown) <= _LONGEST_NAME else f"…{shown[1 - _LONGEST_NAME :]}"
