"""What of a data set is left out: counted by the reason, with the first places."""

from collections.abc import Mapping
from dataclasses import dataclass

_MOST_PLACES, _MOST_REASONS, _MOST_IN_WORDS = 3, 64, 8
_OTHER = "other reasons"
_LONGEST_PLACE = 80  # letters


@dataclass(frozen=True)
class Omission:
    """How many were left out for one reason.

    Attributes:
        places: of the first three, like ``metadata.csv:7``.
    """

    count: int
    places: tuple[str, ...]


class Unusable(Exception):
    """Its message is the reason why something is left out.

    Attributes:
        found: what is there instead, for its place; empty where that says nothing.
    """

    def __init__(self, reason: str, found: str = "") -> None:
        super().__init__(reason)
        self.found = found


class LeftOut:
    """Counts what is left out.

    Args:
        counted: what was left out before.
    """

    def __init__(self, counted: Mapping[str, Omission]) -> None:
        self._counted = dict(counted)

    def add(self, reason: str | Unusable, place: str) -> None:
        """Count one more."""
        if isinstance(reason, Unusable) and reason.found:
            place = f"{place} has {reason.found}"
        known = str(reason) if str(reason) in self._counted or len(self._counted) < _MOST_REASONS else _OTHER
        before = self._counted.get(known, Omission(0, ()))
        places = before.places if len(before.places) == _MOST_PLACES else (*before.places, legible(place))
        self._counted[known] = Omission(before.count + 1, places)

    def counted(self) -> dict[str, Omission]:
        """Every reason, the most frequent first."""
        return dict(sorted(self._counted.items(), key=lambda item: (item[0] == _OTHER, -item[1].count, item[0])))


def in_words(left_out: Mapping[str, Omission]) -> str:
    """``12 × broken image (a.png, b.png, c.png, …), 3 × no caption (d.png, e.png, f.png)``"""
    said = [
        f"{omission.count:,} × {reason} ({places_in_words(omission)})"
        for reason, omission in list(left_out.items())[:_MOST_IN_WORDS]
    ]
    others = sum(omission.count for omission in list(left_out.values())[_MOST_IN_WORDS:])
    return ", ".join([*said, *([f"{others:,} × {_OTHER}"] if others else [])])


def places_in_words(omission: Omission) -> str:
    """``a.png, b.png, c.png, …``"""
    return ", ".join([*omission.places, *(["…"] if omission.count > len(omission.places) else [])])


def legible(text: str) -> str:
    """What others wrote, on one line, without control characters; of a long one both ends."""
    line = "".join(character if character.isprintable() else "�" for character in text)
    if len(line) <= _LONGEST_PLACE:
        return line
    half = _LONGEST_PLACE // 2
    return f"{line[:half]}…{line[-half:]}"
