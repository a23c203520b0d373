"""Params, MACs and memory of a spec, by formula.

Conventions: batch 1; one MAC is one multiply-accumulate of a convolution or matrix product; normalisation,
activations, additions and resampling count nothing; biases count as params and not as MACs. ``macs`` has the attention
products Q·Kᵀ and P·V, ``macs_without_attention`` leaves them out, as thop does.
"""

from collections.abc import Iterator

from archlab.architecture import UNetSpec, layout
from archlab.cost.cost import Cost, KindCost, PartCost, PartKind
from archlab.cost.tally import KINDS, Tally, embedding, node_tallies, summed

BYTES_PER_ELEMENT = 4  # fp32


def count(spec: UNetSpec) -> Cost:
    """Cost of a spec: no torch, no weights."""
    parts: list[PartCost] = []
    tallies: list[Tally] = []
    for name, kind, of_part, waiting in _walk(spec):
        parts.append(_part(name, kind, of_part, waiting))
        tallies += of_part
    whole = summed(tallies)
    params, macs = sum(whole.params), sum(whole.macs)
    matrices = params - whole.vectors
    return Cost(
        params=params,
        macs=macs,
        macs_without_attention=macs - whole.products,
        activation_bytes=max([part.activation_bytes for part in parts]),
        weight_bytes={
            "fp32": 4 * params,
            "fp16": 2 * params,
            "int8": matrices + 4 * (whole.channels + whole.vectors),
        },
        by_block=tuple(parts),
        by_kind=tuple(
            [
                KindCost(kind=kind, params=params, macs=macs)
                for kind, params, macs in zip(KINDS, whole.params, whole.macs, strict=True)
                if params or macs
            ]
        ),
    )


def _walk(spec: UNetSpec) -> Iterator[tuple[str, PartKind, list[Tally], int]]:
    """Every part with what it consists of, and the elements of the skips that wait meanwhile."""
    sinusoids = spec.stages[0].channels
    time_dim = 4 * sinusoids
    yield "embedding", "embedding", [embedding(sinusoids, time_dim, spec.added, spec.guidance_dim)], 0
    nodes = layout(spec)
    last_use = {node.skip_from: node.name for node in nodes if node.skip_from}
    sizes: dict[str, int] = {}
    waiting = 0
    previous = ""
    for node in nodes:
        if node.skip_from and last_use[node.skip_from] == node.name:
            waiting -= sizes.pop(node.skip_from)
        yield node.name, node.kind, node_tallies(node, spec, time_dim), waiting - sizes.get(previous, 0)
        previous = node.name
        if node.name in last_use:
            sizes[node.name] = node.out_channels * node.out_size**2
            waiting += sizes[node.name]


def _part(name: str, kind: PartKind, tallies: list[Tally], waiting: int) -> PartCost:
    params = macs = products = peak = 0
    for tally in tallies:
        params += sum(tally.params)
        macs += sum(tally.macs)
        products += tally.products
        peak = max(peak, tally.peak)
    return PartCost(
        name=name,
        kind=kind,
        params=params,
        macs=macs,
        macs_without_attention=macs - products,
        activation_bytes=(peak + waiting) * BYTES_PER_ELEMENT,
    )
