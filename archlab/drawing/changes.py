"""What changed between two nodes or two specs, in words."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from archlab.architecture import Node, Transformer, UNetSpec
from archlab.drawing.info import Mark, MarkKind, Status

_SETTINGS = {
    "sample_size": "latent",
    "in_channels": "latent channels in",
    "out_channels": "latent channels out",
    "context_dim": "context width",
    "context_length": "context length",
    "norm_groups": "norm groups",
}
_NORMALIZERS = {"softmax->relu": "relu (finetuned)"}


class _MarkForm(NamedTuple):
    """Which transformers have the mark, and its attributes as words."""

    has: Callable[[Transformer], bool]
    attributes: tuple[Callable[[Transformer], str], ...]


def _heads(transformer: Transformer) -> str:
    return f"{transformer.heads} heads"


def _normalizer(transformer: Transformer) -> str:
    return _NORMALIZERS.get(transformer.attention_normalizer, transformer.attention_normalizer)


_MARKS: dict[MarkKind, _MarkForm] = {
    "SA": _MarkForm(
        lambda t: t.self_attention, (lambda t: "K=V" if t.shares_kv("self") else "K≠V", _normalizer, _heads)
    ),
    "CA": _MarkForm(
        lambda t: t.cross_attention, (lambda t: "K=V" if t.shares_kv("cross") else "K≠V", _normalizer, _heads)
    ),
    "FF": _MarkForm(
        lambda t: bool(t.ff_ratio),
        (lambda t: f"{t.ff_ratio:g}", lambda t: t.ff_activation, lambda t: "gated" if t.ff_gated else "not gated"),
    ),
}


def setting_changes(before: UNetSpec, after: UNetSpec) -> tuple[str, ...]:
    """What differs outside the stages and the middle: ``context width 768→1024``."""
    found = [
        f"{words} {getattr(before, name)}→{getattr(after, name)}"
        for name, words in _SETTINGS.items()
        if getattr(before, name) != getattr(after, name)
    ]
    if before.added != after.added:
        kept = before.added and after.added
        found.append(f"added conditioning {'changed' if kept else 'gained' if after.added else 'lost'}")
    return tuple(found)


def node_changes(before: Node, after: Node) -> tuple[str, ...]:
    """What differs in a node beside its transformers' marks."""
    found = []
    if before.conv != after.conv:
        found.append(f"conv {before.conv}→{after.conv}")
    if before.out_channels != after.out_channels:
        found.append(f"{before.out_channels}→{after.out_channels}")
    depths = len(before.transformers), len(after.transformers)
    if depths[0] != depths[1]:
        found.append(f"depth {depths[0]}→{depths[1]}")
    elif before.transformers != after.transformers and all(
        mark.status == "kept" for mark in compare_marks(before.transformers, after.transformers)
    ):
        found.append("transformers in another order")
    return tuple(found)


def compare_marks(before: Sequence[Transformer], after: Sequence[Transformer]) -> tuple[Mark, ...]:
    """The marks of two stacks as one; one that neither has is absent."""
    found = []
    for kind, form in _MARKS.items():
        old, new = ([t for t in stack if form.has(t)] for stack in (before, after))
        if old and new:
            changes = [_change([a(t) for t in old], [a(t) for t in new]) for a in form.attributes]
            words = tuple(filter(None, changes))
            partly = len(old) != len(new) and len(before) == len(after)
            found.append(Mark(kind, "changed" if words or partly else "kept", len(new), words))
        elif old or new:
            found.append(Mark(kind, "added" if new else "removed", len(new or old)))
    return tuple(found)


def own_marks(transformers: Sequence[Transformer], status: Status) -> tuple[Mark, ...]:
    """The marks of one stack, all with that status."""
    return tuple(mark._replace(status=status) for mark in compare_marks(transformers, transformers))


def _change(before: Sequence[str], after: Sequence[str]) -> str:
    """``8→6``, or empty; values that differ within a stack are all named."""
    old, new = ([values[0]] if len(set(values)) == 1 else list(values) for values in (before, after))
    if old == new:
        return ""
    if new in (["K=V"], ["K≠V"]):
        return new[0]
    noun = " heads" if new[0].endswith(" heads") else ""
    return f"{' '.join(old)}→{' '.join(new)}".replace(" heads", "") + noun
