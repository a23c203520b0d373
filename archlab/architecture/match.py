"""Which block of one architecture is which block of another."""

from collections import defaultdict
from collections.abc import Iterator

from archlab.architecture.layout import layout
from archlab.architecture.spec import Stage, UNetSpec


def match(before: UNetSpec, after: UNetSpec) -> dict[str, str]:
    """Names of ``after``'s nodes that ``before`` has too, each with the name it has there.

    Stages are the same at the same resolution (relative to the latent), in their order. Within a stage blocks are
    counted from the input; an up block that takes the stage's own input as its skip matches another that does (of the
    up blocks 0, 1, 2 of Stable Diffusion, BK-SDM keeps 0 and 2). Names are those of `layout`.
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
        for new_places, old_places in zip(_up_places(new), _up_places(old), strict=True):
            for k, k_old in zip(new_places, old_places, strict=False):
                yield f"up.{index}.{k}", f"up.{origin}.{k_old}"
        yield f"upsample.{index}", f"upsample.{origin}"
    for k in range(min(len(after.middle), len(before.middle))):
        yield f"middle.{k}", f"middle.{k}"
    yield "conv_out", "conv_out"


def _up_places(stage: Stage) -> tuple[range, range, range]:
    """Up blocks whose skip is a down block's output, the stage's input, nothing."""
    outputs, blocks = len(stage.down), len(stage.up)
    return range(min(outputs, blocks)), range(outputs, min(outputs + 1, blocks)), range(outputs + 1, blocks)


def _halvings(spec: UNetSpec) -> list[int]:
    """How often each stage's resolution has been halved."""
    found = [0]
    for stage in spec.stages[:-1]:
        found.append(found[-1] + (stage.downsample is not None))
    return found
