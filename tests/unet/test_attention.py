"""Attention by the processor's way of learning and by torch's own, against the formula in double precision."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import Node

from archlab.architecture import UNetSpec, map_transformers
from archlab.architecture.parts import AppliedNormalizer
from archlab.unet import build
from archlab.unet.attention import attend
from archlab.unet.cpu_attention import Processor, this_processor

LAYOUTS = {
    "few keys": (16, 5),
    "few queries": (4, 9),
    "as many": (8, 8),
    "a head at a time": (40, 70),
}


def inputs(layout: str, heads: int, dtype: torch.dtype = torch.float32, shared: bool = False) -> list[Tensor]:
    """Query [3, L, 4·heads], key and value [3, M, 4·heads]; one tensor for both where they are shared."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(3, tokens, 4 * heads, generator=generator, dtype=dtype).requires_grad_()
        for tokens in (LAYOUTS[layout][0], LAYOUTS[layout][1], LAYOUTS[layout][1])
    )
    return [query, key, key if shared else value]


def by_formula(query: Tensor, key: Tensor, value: Tensor, heads: int, normalizer: AppliedNormalizer) -> Tensor:
    query, key, value = (x.double().unflatten(-1, (heads, -1)) for x in (query, key, value))
    scores = torch.einsum("blhd,bmhd->bhlm", query, key) / query.shape[-1] ** 0.5
    weights = scores.softmax(-1) if normalizer == "softmax" else scores.clamp(min=0) / key.shape[1]
    return torch.einsum("bhlm,bmhd->blhd", weights, value).flatten(2)


def is_in_blocks(result: Tensor) -> bool:
    """Whether its gradient runs through attention in blocks."""
    waiting, seen = [result.grad_fn], set[Node]()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(before for before, _ in node.next_functions)
    return any("InBlocks" in node.name() for node in seen)


# All heads in one block, or several blocks, the last of them smaller; of the longest layout one head in each.
@pytest.mark.parametrize("scores_at_once", [2**18, 1000])
@pytest.mark.parametrize("normalizer", ["softmax", "relu"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("heads", "shared"), [(1, False), (5, False), (5, True)])
def test_output_and_gradients_are_those_of_the_formula(
    layout: str, heads: int, shared: bool, normalizer: AppliedNormalizer, scores_at_once: int
) -> None:
    given = inputs(layout, heads, shared=shared)
    processor = Processor(is_intel=False, threads=1, scores_per_thread=scores_at_once)
    found = attend(*given, heads, normalizer, training=True, processor=processor)
    expected = by_formula(*given, heads, normalizer)
    assert is_in_blocks(found), "not the way that is tested"
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    variables = given[:2] if shared else given
    for ours, theirs in zip(
        torch.autograd.grad(found, variables, upstream),
        torch.autograd.grad(expected, variables, upstream.double()),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("threads", "scores", "expected"), [(1, 200, True), (2, 200, False), (2, 240, True)])
def test_threads_share_one_block_or_none(threads: int, scores: int, expected: bool) -> None:
    processor = replace(this_processor(), threads=threads, scores_per_thread=scores)
    given = inputs("few keys", 2)  # 3 · 2 · 16 · 5 = 480 scores
    assert is_in_blocks(attend(*given, 2, "softmax", training=True, processor=processor)) == expected
    assert is_in_blocks(attend(*given, 2, "relu", training=True, processor=processor))


@pytest.mark.parametrize(
    ("layout", "normalizer", "is_intel", "expected"),
    [
        ("few keys", "softmax", True, True),
        ("few queries", "softmax", True, False),
        ("as many", "softmax", True, False),
        ("as many", "softmax", False, True),
        ("as many", "relu", True, True),
    ],
)
def test_the_processor_decides(layout: str, normalizer: AppliedNormalizer, is_intel: bool, expected: bool) -> None:
    processor = replace(this_processor(), is_intel=is_intel)
    assert is_in_blocks(attend(*inputs(layout, 2), 2, normalizer, training=True, processor=processor)) == expected


@pytest.mark.parametrize("normalizer", ["softmax", "relu"])
@pytest.mark.parametrize("layout", ["few keys", "few queries"])
def test_gradients_are_slopes(layout: str, normalizer: AppliedNormalizer) -> None:
    processor = replace(this_processor(), is_intel=False)
    given = inputs(layout, 2, torch.float64)
    attention = partial(attend, heads=2, normalizer=normalizer, training=True, processor=processor)
    assert torch.autograd.gradcheck(attention, given)


def test_the_same_gradients_every_time(small: UNetSpec) -> None:
    unet = build(small)
    sample, context = torch.randn(4, 4, 8, 8), torch.randn(4, 6, 24)

    def gradients() -> list[Tensor]:
        return list(torch.autograd.grad(unet(sample, torch.ones(4), context).sum(), list(unet.parameters())))

    first, second = gradients(), gradients()
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("normalizer", ["softmax", "relu"])
def test_an_exported_network_attends_by_plain_operators(small: UNetSpec, normalizer: AppliedNormalizer) -> None:
    spec = map_transformers(small, lambda kept, _: replace(kept, attention_normalizer=normalizer))
    unet = build(spec)
    given = torch.randn(2, 4, 8, 8), torch.ones(2), torch.randn(2, 6, 24)
    exported = torch.export.export(unet, given)
    assert not any(
        "out" in str(node.target).split(".")[-1] for node in exported.graph.nodes if node.op == "call_function"
    )
    torch.testing.assert_close(exported.module()(*given), unet(*given), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("normalizer", ["softmax", "relu"])
def test_an_evaluated_or_traced_network_attends_by_plain_operators(
    small: UNetSpec, normalizer: AppliedNormalizer
) -> None:
    spec = map_transformers(small, lambda kept, _: replace(kept, attention_normalizer=normalizer))
    unet = build(spec)
    given = torch.randn(2, 4, 8, 8), torch.ones(2), torch.randn(2, 6, 24)
    assert is_in_blocks(unet(*given)), "not the way that is avoided"
    traced = torch.jit.trace(unet, given, check_trace=False)
    products = [node for node in traced.inlined_graph.nodes() if node.kind() == "aten::bmm"]
    assert not any(len(list(node.inputs())) > 2 for node in products), "an operator with out="
    assert not is_in_blocks(unet.eval()(*given))
