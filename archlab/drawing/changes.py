"""What changed between two nodes or two specs, in words.

The attributes and their wording are those of the dataclass fields in `archlab.architecture.parts`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import Field, fields, is_dataclass
from typing import Any

from archlab.architecture import (
    TRANSFORMER_PARTS,
    Block,
    Node,
    Transformer,
    TransformerPart,
    UNetSpec,
    Wording,
    wording,
)
from archlab.drawing.info import Mark, MarkKind, Status

MARKS: dict[TransformerPart, MarkKind] = {"self_attention": "SA", "cross_attention": "CA", "feed_forward": "FF"}

_DRAWN = ("stages", "middle")  # of the spec: these are drawn
_BLOCK_ATTRIBUTES = tuple(attribute for attribute in fields(Block) if attribute.name != "transformers")


def setting_changes(before: UNetSpec, after: UNetSpec) -> tuple[str, ...]:
    """What differs outside the stages and the middle: ``context width 768→1024``."""
    settings = (attribute for attribute in fields(UNetSpec) if attribute.name not in _DRAWN)
    return tuple(_setting_changes(before, after, settings))


def node_changes(before: Node, after: Node) -> tuple[str, ...]:
    """What differs in a node beside its transformers' marks."""
    changes = [_change(wording(a), [_value(before.block, a)], [_value(after.block, a)]) for a in _BLOCK_ATTRIBUTES]
    if before.out_channels != after.out_channels:
        changes.append(f"{before.out_channels}→{after.out_channels}")
    depths = len(before.transformers), len(after.transformers)
    if depths[0] != depths[1]:
        changes.append(f"depth {depths[0]}→{depths[1]}")
    elif before.transformers != after.transformers and all(
        mark.status == "kept" for mark in compare_marks(before.transformers, after.transformers)
    ):
        changes.append("transformers in another order")
    return tuple(filter(None, changes))


def compare_marks(before: Sequence[Transformer], after: Sequence[Transformer]) -> tuple[Mark, ...]:
    """The marks of two stacks as one; one that neither has is absent."""
    marks = []
    for part in TRANSFORMER_PARTS:
        old, new = ([t.alone(part) for t in stack if part in t.parts] for stack in (before, after))
        if old and new:
            words = tuple(_part_changes(old, new))
            partly = len(old) != len(new) and len(before) == len(after)
            marks.append(Mark(MARKS[part], "changed" if words or partly else "kept", len(new), words))
        elif old or new:
            marks.append(Mark(MARKS[part], "added" if new else "removed", len(new or old)))
    return tuple(marks)


def own_marks(transformers: Sequence[Transformer], status: Status) -> tuple[Mark, ...]:
    """The marks of one stack, all with that status."""
    return tuple(mark._replace(status=status) for mark in compare_marks(transformers, transformers))


def _setting_changes(before: UNetSpec, after: UNetSpec, settings: "Iterator[Field[Any]]") -> Iterator[str]:
    for setting in settings:
        old, new, words = getattr(before, setting.name), getattr(after, setting.name), wording(setting)
        if old is None or new is None:
            if old != new:
                yield f"{words.label} {'gained' if old is None else 'lost'}"
        elif is_dataclass(old):
            if old != new:
                yield f"{words.label} changed"
        elif change := _change(words, [words.value(old)], [words.value(new)]):
            yield change


def _part_changes(old: Sequence[Transformer], new: Sequence[Transformer]) -> Iterator[str]:
    """Of transformers that have one part only, the same in all of them."""
    for attribute in fields(Transformer):
        before, after = ([_value(transformer, attribute) for transformer in stack] for stack in (old, new))
        if change := _change(wording(attribute), before, after):
            yield change


def _value(owner: Block | Transformer, attribute: "Field[Any]") -> str:
    return wording(attribute).value(getattr(owner, attribute.name))


def _change(words: Wording, before: Sequence[str], after: Sequence[str]) -> str:
    """``8→6``, or empty; values that differ within a stack are all named."""
    old, new = ([values[0]] if len(set(values)) == 1 else list(values) for values in (before, after))
    if old == new:
        return ""
    if words.says_both and len(new) == 1:
        return new[0]
    return f"{words.label} {' '.join(old)}→{' '.join(new)}{words.noun}".strip()
