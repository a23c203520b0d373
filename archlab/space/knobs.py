"""Knobs: named design choices, each a function from a spec and a value to a spec.

Structure comes before attributes; `KNOBS` is in the order of application. For every knob
``knob.apply(spec, knob.read(spec)) == spec`` wherever ``read`` finds one value that describes the spec.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from archlab.architecture import Block, Transformer, UNetSpec, map_transformers
from archlab.architecture.parts import Conv
from archlab.errors import BadInput, nearest, shown
from archlab.space.attributes import Attributes, with_attributes
from archlab.space.placement import place_transformers, read_placement

Value = str | int | float | tuple[Any, ...]


@dataclass(frozen=True)
class Knob:
    """One named design choice.

    Attributes:
        apply: the spec with the choice made; raises BadInput for a value the baseline cannot take.
        read: the value that describes a spec; None where no single value does.
        attributes: for a knob that leaves the structure alone: what a value sets in each of a number of stages and in
            the middle. Such knobs do not see each other, so that any number of them is applied in one pass.
    """

    name: str
    meaning: str
    apply: Callable[[UNetSpec, Any], UNetSpec]
    read: Callable[[UNetSpec], Value | None]
    attributes: Callable[[int, Any], list[Attributes]] | None = None


def label(value: Value | None) -> str | int | float | None:
    """The value as it is shown and stored: a list becomes ``0 1 1 0 1``."""
    if isinstance(value, tuple):
        return " ".join(str(int(v) if isinstance(v, bool) else v) for v in value)
    return value


def _apply_res_blocks(spec: UNetSpec, value: Any) -> UNetSpec:
    entries = [value] * len(spec.stages) if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)) or len(entries) != len(spec.stages):
        raise BadInput(f"takes one 'down/up' like '2/3', or {len(spec.stages)} of them, one per stage")
    stages = []
    for stage, entry in zip(spec.stages, entries, strict=True):
        down, slash, up = str(entry).partition("/")
        if not (slash and down.isascii() and down.isdigit() and up.isascii() and up.isdigit()):
            raise BadInput(f"{shown(entry)} is not a pair of block counts like '2/3'")
        if not (1 <= int(down) <= _MOST_BLOCKS and 1 <= int(up) <= _MOST_BLOCKS):
            raise BadInput(f"{shown(entry)}: a stage has 1 to {_MOST_BLOCKS} blocks down and up")
        stages.append(replace(stage, down=_repeat(stage.down, int(down)), up=_repeat(stage.up, int(up))))
    return replace(spec, stages=tuple(stages))


def _repeat(blocks: tuple[Block, ...], number: int) -> tuple[Block, ...]:
    return blocks[:number] + blocks[-1:] * (number - len(blocks))


def _read_res_blocks(spec: UNetSpec) -> Value:
    entries = tuple(f"{len(stage.down)}/{len(stage.up)}" for stage in spec.stages)
    return entries[0] if len(set(entries)) == 1 else entries


def _apply_channels(spec: UNetSpec, value: Any) -> UNetSpec:
    if not isinstance(value, (list, tuple)) or not all(type(v) is int for v in value):
        raise BadInput(f"takes {len(spec.stages)} whole numbers, one per stage, not {shown(value)}")
    return spec.with_channels(value)


def _read_channels(spec: UNetSpec) -> Value:
    return tuple(stage.channels for stage in spec.stages)


def _apply_width(spec: UNetSpec, value: Any) -> UNetSpec:
    if not _is_number(value):
        raise BadInput(f"takes a factor like 0.75, not {shown(value)}")
    return spec.scaled(width=value)


def _attention(kind: Literal["self", "cross"], stages: int, value: Any) -> list[Attributes]:
    return [{f"{kind}_attention": flag} for flag in _attention_flags(stages, value)]


def _attention_flags(stages: int, value: Any) -> list[bool]:
    """One flag per stage and one for the middle."""
    firsts = {"all": 0, "none": stages + 1, "inner": stages - 1, "middle": stages}
    firsts |= {f"stage>={k}": k for k in range(stages)}
    if isinstance(value, str):
        word = value.replace(" ", "")
        if word not in firsts:
            raise BadInput(f"no {shown(value)}{nearest(word, firsts)}; or one flag per stage and middle")
        return [place >= firsts[word] for place in range(stages + 1)]
    if not isinstance(value, (list, tuple)) or len(value) != stages + 1 or any(f not in (0, 1) for f in value):
        raise BadInput(
            f"takes one of {', '.join(firsts)}; or {stages + 1} flags (true or false), "
            f"one per stage and the middle, not {shown(value)}"
        )
    return [bool(flag) for flag in value]


def _read_attention(kind: Literal["self", "cross"], spec: UNetSpec) -> Value | None:
    middle = len(spec.stages)
    flags_at: dict[int, set[bool]] = {}

    def note(transformer: Transformer, place: int) -> Transformer:
        flags_at.setdefault(place, set()).add(getattr(transformer, f"{kind}_attention"))
        return transformer

    map_transformers(spec, note)
    if any(len(flags) > 1 for flags in flags_at.values()):
        return None
    for word in ("all", "none", "inner", "middle", *(f"stage>={k}" for k in range(middle))):
        flags = _attention_flags(middle, word)
        if all({flags[place]} == seen for place, seen in flags_at.items()):
            return word
    return tuple(flags_at.get(place, {True}) == {True} for place in range(middle + 1))


def _everywhere(attribute: str, kind: Any, stages: int, value: Any) -> list[Attributes]:
    """The value of a transformer's attribute of that type, in all of them."""
    return [{attribute: _of_kind(kind, value)}] * (stages + 1)


def _of_kind(kind: Any, value: Any) -> Any:
    """The value, if it is of an attribute's type: some words, true or false, a number, a whole number, or a union."""
    words = tuple(word for part in get_args(kind) for word in get_args(part) or (part,) if isinstance(word, str))
    if kind is float and _is_number(value):
        return float(value)
    if (kind is bool and isinstance(value, bool)) or (int in (kind, *get_args(kind)) and type(value) is int):
        return value
    if kind is bool:
        raise BadInput(f"takes true or false, not {shown(value)}")
    if not words or (int in get_args(kind) and not isinstance(value, str)):
        number = "a number" if kind is float else "a whole number"
        raise BadInput(f"takes {' or '.join((*words, number))}, not {shown(value)}")
    _check_word(value, words)
    return value


def _feed_forward(stages: int, value: Any) -> list[Attributes]:
    _check_word(value, tuple(_GATED))
    return [{"ff_gated": _GATED[value]}] * (stages + 1)


def _read_feed_forward(spec: UNetSpec) -> Value | None:
    gated = _read_attribute("ff_gated", spec)
    return next((word for word, flag in _GATED.items() if flag == gated), None)


def _ff_ratio(stages: int, value: Any) -> list[Attributes]:
    if not _is_number(value) or not 0 <= value <= _MOST_FF_RATIO:
        raise BadInput(f"takes a number from 0 (no feed-forward) to {_MOST_FF_RATIO}, SD's is 8; not {shown(value)}")
    return [{"ff_ratio": float(value)}] * (stages + 1)


def _read_attribute(attribute: str, spec: UNetSpec) -> Value | None:
    values: set[Value] = set()

    def note(transformer: Transformer, _: int) -> Transformer:
        values.add(getattr(transformer, attribute))
        return transformer

    map_transformers(spec, note)
    return _single(values)


def _conv(stages: int, value: Any) -> list[Attributes]:
    _check_word(value, get_args(Conv))
    return [{"conv": "standard"}] + [{"conv": value}] * stages


def _read_conv(spec: UNetSpec) -> Value | None:
    stages = len(spec.stages)
    return next((word for word in get_args(Conv) if with_attributes(spec, _conv(stages, word)) == spec), None)


def _check_word(value: Any, words: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in words:
        raise BadInput(f"no {shown(value)}{nearest(str(value), words)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_T = TypeVar("_T")


def _single(values: set[_T]) -> _T | None:
    return values.pop() if len(values) == 1 else None


def _attribute_knob(
    name: str,
    meaning: str,
    attributes: Callable[[int, Any], list[Attributes]],
    read: Callable[[UNetSpec], Value | None] | None = None,
) -> Knob:
    return Knob(name, meaning, partial(_apply_alone, attributes), read or partial(_read_attribute, name), attributes)


def _apply_alone(attributes: Callable[[int, Any], list[Attributes]], spec: UNetSpec, value: Any) -> UNetSpec:
    return with_attributes(spec, attributes(len(spec.stages), value))


def _transformer_knob(name: str, meaning: str) -> Knob:
    """A knob over the transformers' attribute of that name, whose type says which values there are."""
    return _attribute_knob(name, meaning, partial(_everywhere, name, get_type_hints(Transformer)[name]))


def _transformer_knobs() -> Iterator[Knob]:
    """One for each attribute of the transformers that says what is chosen by it, in the attributes' order."""
    for attribute in fields(Transformer):
        if meaning := attribute.metadata.get("knob"):
            values = _VALUES.get(attribute.name)
            yield (
                _attribute_knob(attribute.name, meaning, values)
                if values
                else _transformer_knob(attribute.name, meaning)
            )


def _unet_knobs() -> Iterator[Knob]:
    """Likewise for the attributes of the whole UNet."""
    for attribute in fields(UNetSpec):
        if meaning := attribute.metadata.get("knob"):
            kind = get_type_hints(UNetSpec)[attribute.name]
            yield Knob(
                attribute.name, meaning, partial(_set, attribute.name, kind), partial(_read_unet, attribute.name)
            )


def _set(attribute: str, kind: Any, spec: UNetSpec, value: Any) -> UNetSpec:
    changes: dict[str, Any] = {attribute: _of_kind(kind, value)}
    return replace(spec, **changes)


def _read_unet(attribute: str, spec: UNetSpec) -> Value:
    value: Value = getattr(spec, attribute)
    return value


_MOST_BLOCKS = 16
_MOST_FF_RATIO = 100
_GATED = {"gated": True, "plain": False}
_VALUES = {"ff_ratio": _ff_ratio}  # of attributes that take more, or less, than their type says

KNOBS: dict[str, Knob] = {
    knob.name: knob
    for knob in (
        Knob("res_blocks", "residual blocks per stage, down/up", _apply_res_blocks, _read_res_blocks),
        Knob("channels", "channels per stage", _apply_channels, _read_channels),
        Knob("width", "one factor on all channels", _apply_width, lambda spec: 1),
        Knob("transformers", "transformer placement: depth per block", place_transformers, read_placement),
        _attribute_knob(
            "self_attention",
            "which transformers keep self-attention",
            partial(_attention, "self"),
            partial(_read_attention, "self"),
        ),
        _attribute_knob(
            "cross_attention",
            "which transformers keep cross-attention",
            partial(_attention, "cross"),
            partial(_read_attention, "cross"),
        ),
        *_unet_knobs(),
        *_transformer_knobs(),
        _attribute_knob(
            "feed_forward", "gated, or plain: two layers and an activation", _feed_forward, _read_feed_forward
        ),
        _attribute_knob("conv", "3×3 convolutions off the outermost stage", _conv, _read_conv),
    )
}
