"""Which block of one architecture is which block of another."""

from collections import defaultdict
from collections.abc import Iterator

from archlab.architecture.layout import layout
from archlab.architecture.parts import Stage
from archlab.architecture.spec import UNetSpec


def match(before: UNetSpec, after: UNetSpec) -> dict[str, str]:
    """Names of ``after``'s nodes that ``before`` has too, each with the name it has there.

    Stages are the same at the same resolution (relative to the latent), in their order. Within a stage down blocks are
    counted from the input; up blocks match where they take the same skip (of the up blocks 0, 1, 2 of Stable Diffusion,
    BK-SDM keeps 0 and 2), but the first, which may change the width, matches the first. Names are those of `layout`.
    """
    old, new = ({node.name for node in layout(spec)} for spec in (before, after))
    return {name: origin for name, origin in _pairs(before, after) if name in new and origin in old}


def match_stages(before: UNetSpec, after: UNetSpec) -> dict[int, int]:
    """Stages of ``after`` that ``before`` has too, each with its index there."""
    at: dict[int, list[int]] = defaultdict(list)
    for index, halvings in enumerate(_halvings(before)):
        at[halvings].append(index)
    return {index: at[halvings].pop(0) for index, halvings in enumerate(_halvings(after)) if at[halvings]}


def _pairs(before: UNetSpec, after: UNetSpec) -> Iterator[tuple[str, str]]:
    yield "conv_in", "conv_in"
    for index, origin in match_stages(before, after).items():
        new, old = after.stages[index], before.stages[origin]
        for k in range(min(len(new.down), len(old.down))):
            yield f"down.{index}.{k}", f"down.{origin}.{k}"
        yield f"downsample.{index}", f"downsample.{origin}"
        for k, k_old in _up_pairs(new, old):
            yield f"up.{index}.{k}", f"up.{origin}.{k_old}"
        yield f"upsample.{index}", f"upsample.{origin}"
    for k in range(min(len(after.middle), len(before.middle))):
        yield f"middle.{k}", f"middle.{k}"
    yield "conv_out", "conv_out"


def _up_pairs(new: Stage, old: Stage) -> Iterator[tuple[int, int]]:
    """Up block k takes the output of down block ``len(down) - 1 - k``, then the stage's input (-1), then nothing."""
    yield 0, 0
    shift = len(old.down) - len(new.down)
    yield from ((k, k + shift) for k in range(1, len(new.up)) if 1 <= k + shift < len(old.up))


def _halvings(spec: UNetSpec) -> list[int]:
    """How often each stage's resolution has been halved."""
    halvings = [0]
    for stage in spec.stages[:-1]:
        halvings.append(halvings[-1] + (stage.downsample is not None))
    return halvings
