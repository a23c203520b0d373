"""The scenes of ``shapes``: what is in each, what its caption says, and how it is drawn."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeVar

from PIL import Image, ImageDraw

COLOURS = {
    "red": (224, 48, 48),
    "green": (48, 168, 72),
    "blue": (56, 96, 232),
    "yellow": (248, 216, 64),
    "purple": (168, 72, 200),
    "white": (244, 244, 244),
}
SHAPES = ("circle", "square", "triangle", "cross")
SIZES = {"small": 0.25, "large": 0.4}  # width, as a share of the image's
PLACES = {  # of the one object there is: the phrase, and the centre
    "top left": ("at the top left", (0.27, 0.27)),
    "top right": ("at the top right", (0.73, 0.27)),
    "bottom left": ("at the bottom left", (0.27, 0.73)),
    "bottom right": ("at the bottom right", (0.73, 0.73)),
    "middle": ("in the middle", (0.5, 0.5)),
}
RELATIONS = {  # of the first object to the second: the opposite, and both centres
    "above": ("below", (0.5, 0.26), (0.5, 0.74)),
    "left of": ("right of", (0.26, 0.5), (0.74, 0.5)),
}
UNSEEN = frozenset({("red", "cross"), ("green", "triangle"), ("blue", "square"), ("purple", "circle")})

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "objects": ("one", "two"),
    "first colour": tuple(COLOURS),
    "first shape": SHAPES,
    "first size": tuple(SIZES),
    "second colour": tuple(COLOURS),
    "second shape": SHAPES,
    "second size": tuple(SIZES),
    "place": tuple(PLACES),
    "relation": tuple(RELATIONS),
}

_SUPERSAMPLING = 4
_STRAYS = {"above": (0.07, 0.02), "left of": (0.02, 0.07)}  # how far a centre may, right and down, as a share
_LEAST_STRAY = (0.02, 0.02)
_SIZE_RANGE, _LIGHT_RANGE, _GROUND_RANGE = (0.96, 1.04), (0.85, 1.0), (16, 56)

_Value = TypeVar("_Value")


class Thing(NamedTuple):
    """One object."""

    size: str
    colour: str
    shape: str

    @property
    def words(self) -> str:
        """``a small red circle``"""
        return f"a {self.size} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """One object at a place, or two in a relation.

    Attributes:
        things: the first is the upper or the left one, whichever the caption begins with.
        where: a key of `PLACES` or `RELATIONS`.
        is_told_backwards: the caption begins with the second and has the opposite relation.
        strays, widths, lights: of each thing, by how much it is off its place, its size and its full colour.
        ground: grey level of the background.
    """

    things: tuple[Thing, ...]
    where: str
    is_told_backwards: bool
    strays: tuple[tuple[float, float], ...]
    widths: tuple[float, ...]
    lights: tuple[float, ...]
    ground: int

    @property
    def caption(self) -> str:
        """``a small red circle above a large blue square``, ``a large white cross in the middle``"""
        if len(self.things) == 1:
            return f"{self.things[0].words} {PLACES[self.where][0]}"
        first, second = self.things
        if self.is_told_backwards:
            return f"{second.words} {RELATIONS[self.where][0]} {first.words}"
        return f"{first.words} {self.where} {second.words}"

    @property
    def facts(self) -> list[int]:
        """The value of each of `ATTRIBUTES`; -1 for what does not apply."""
        said = {"objects": "two" if len(self.things) == 2 else "one"}
        for which, thing in zip(("first", "second"), self.things, strict=False):
            said |= {f"{which} {name}": value for name, value in thing._asdict().items()}
        said["place" if self.where in PLACES else "relation"] = self.where
        return [values.index(said[name]) if name in said else -1 for name, values in ATTRIBUTES.items()]

    def draw(self, image_size: int) -> Image.Image:
        """An RGB image of that side, anti-aliased."""
        side = image_size * _SUPERSAMPLING
        image = Image.new("RGB", (side, side), (self.ground,) * 3)
        pencil = ImageDraw.Draw(image)
        centres = RELATIONS[self.where][1:] if self.where in RELATIONS else PLACES[self.where][1:]
        for index, thing in enumerate(self.things):
            x, y = (side * (at + stray) for at, stray in zip(centres[index], self.strays[index], strict=True))
            colour = tuple(round(level * self.lights[index]) for level in COLOURS[thing.colour])
            _draw_shape(pencil, thing.shape, x, y, side * SIZES[thing.size] * self.widths[index] / 2, colour)
        return image.reduce(_SUPERSAMPLING)


def scene(index: int, *, with_unseen: bool) -> Scene:
    """The scene of that number: every third has one object, the others two; all else is drawn uniformly.

    Args:
        with_unseen: one of its things is of the colours and shapes that `UNSEEN` pairs, otherwise none is.
    """
    random = Random(f"shapes {index}")
    things = [_thing(random, is_unseen=with_unseen)]
    if index % 3:
        things.append(_thing(random))
        while things[0][1:] == things[1][1:]:  # told apart by more than their size
            things[1] = _thing(random)
        if random.random() < 0.5:
            things.reverse()
    where = _pick(random, tuple(PLACES) if len(things) == 1 else tuple(RELATIONS))
    right, down = _STRAYS.get(where, _LEAST_STRAY)
    return Scene(
        things=tuple(things),
        where=where,
        is_told_backwards=len(things) == 2 and random.random() < 0.5,
        strays=tuple((_between(random, -right, right), _between(random, -down, down)) for _ in things),
        widths=tuple(_between(random, *_SIZE_RANGE) for _ in things),
        lights=tuple(_between(random, *_LIGHT_RANGE) for _ in things),
        ground=int(_between(random, *_GROUND_RANGE)),
    )


def _thing(random: Random, *, is_unseen: bool = False) -> Thing:
    """Every colour and every shape is as frequent as the others: `UNSEEN` takes each shape from one colour."""
    size = _pick(random, tuple(SIZES))
    if is_unseen:
        return Thing(size, *_pick(random, sorted(UNSEEN)))
    colour = _pick(random, tuple(COLOURS))
    return Thing(size, colour, _pick(random, [shape for shape in SHAPES if (colour, shape) not in UNSEEN]))


def _pick(random: Random, values: "tuple[_Value, ...] | list[_Value]") -> _Value:
    """By ``random()`` alone, whose numbers Python promises to keep."""
    return values[int(random.random() * len(values))]


def _between(random: Random, low: float, high: float) -> float:
    return low + (high - low) * random.random()


def _draw_shape(
    pencil: ImageDraw.ImageDraw, shape: str, x: float, y: float, radius: float, colour: tuple[int, ...]
) -> None:
    if shape == "circle":
        pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    elif shape == "square":
        half = 0.9 * radius
        pencil.rectangle((x - half, y - half, x + half, y + half), fill=colour)
    elif shape == "triangle":
        pencil.polygon([(x, y - radius), (x + radius, y + radius), (x - radius, y + radius)], fill=colour)
    else:
        arm = radius / 3
        pencil.rectangle((x - radius, y - arm, x + radius, y + arm), fill=colour)
        pencil.rectangle((x - arm, y - radius, x + arm, y + radius), fill=colour)
