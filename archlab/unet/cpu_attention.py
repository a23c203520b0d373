"""Attention in blocks of scores: a way through it that a CPU learns by faster than by torch's own.

torch's fused attention on the CPU multiplies matrices as narrow as a head, which is slow but for Intel's own library on
Intel's own processors, and its softmax runs along the keys, of which a prompt has few. Here tokens are the columns of
every product, and the scores lie along the longer of queries and keys. They are made for some heads at a time, and
again for the gradient, so that they are never all in memory (arXiv 2205.14135).
"""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from archlab.architecture.parts import AppliedNormalizer
from archlab.surgery.torch_softmax import softmax_backward

_FUSED_FROM_CHANNELS, _FUSED_FROM_KEYS = 16, 64  # a head with as many channels and keys is faster by torch's own way
_FUSED_FROM_KEYS_ON_INTEL = 17  # one more than a register holds


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What decides how attention is fastest on a CPU.

    Attributes:
        threads: on which torch computes.
        scores_per_thread: as many as fit in a core's own cache: 1 MB in float32.
    """

    is_intel: bool
    threads: int
    scores_per_thread: int = 2**18

    @property
    def scores_at_once(self) -> int:
        """How many scores a block has at most."""
        return self.scores_per_thread * self.threads


def this_processor() -> Processor:
    """The machine's own, with as many threads as torch has now."""
    return Processor(is_intel=_is_intel(), threads=torch.get_num_threads())


def learns_faster_in_blocks(
    query: Tensor, key: Tensor, heads: int, normalizer: AppliedNormalizer, processor: Processor
) -> bool:
    """Whether `attend_in_blocks` is the faster way to a gradient for [B, L, C] and [B, M, C], as measured."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[no-untyped-call, attr-defined]  # torch leaves it untyped
    if traced or torch.compiler.is_compiling():
        return False
    if normalizer == "relu":  # torch has no fused one
        return True
    scores = len(query) * heads * query.shape[1] * key.shape[1]
    if processor.threads > 1 and scores > processor.scores_at_once:
        return False  # threads wait for each other after every product of every block
    if processor.is_intel:
        return key.shape[1] < min(_FUSED_FROM_KEYS_ON_INTEL, query.shape[1])
    return query.shape[-1] < heads * _FUSED_FROM_CHANNELS or key.shape[1] < _FUSED_FROM_KEYS


def attend_in_blocks(
    query: Tensor, key: Tensor, value: Tensor, heads: int, normalizer: AppliedNormalizer, scores_at_once: int
) -> Tensor:
    """As `archlab.unet.attention.attend`: [B, L, C], [B, M, C], [B, M, C] → [B, L, C]; gradients of the first order."""
    query = query * (query.shape[-1] // heads) ** -0.5
    if normalizer == "relu":
        value = value / value.shape[1]
    parts = (
        x.view(*x.shape[:2], heads, -1).permute(0, 2, 3, 1).flatten(0, 1).contiguous() for x in (query, key, value)
    )
    mixed: Tensor = _InBlocks.apply(*parts, normalizer, scores_at_once)  # type: ignore[no-untyped-call]  # by torch
    return mixed.view(-1, query.shape[-1], query.shape[1]).transpose(1, 2)


@cache
def _is_intel() -> bool:
    try:
        return "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "Intel" in platform.processor()


class _InBlocks(Function):
    """Scaled queries [N, D, L], keys [N, D, M], values [N, D, M] → [N, D, L], N the heads of all samples."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, normalizer: AppliedNormalizer, scores_at_once: int
    ) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.scores = scores = _Scores(query.shape[2], key.shape[2], normalizer, scores_at_once)
        mixed = torch.empty_like(query)
        (buffer,) = scores.buffers(query, 1)
        for q, k, v, out in scores.blocks(query, key, value, mixed):
            torch.bmm(v, scores.by_key(scores.weights(q, k, buffer)), out=out)
        return mixed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scores, inputs = ctx.scores, ctx.saved_tensors
        results = tuple(torch.empty_like(tensor) for tensor in inputs)
        first, second = scores.buffers(inputs[0], 2)
        for q, k, v, out, to_q, to_k, to_v in scores.blocks(*inputs, gradients[0].contiguous(), *results):
            weights = scores.weights(q, k, first)
            changes = scores.by_key(scores.gradient(out, v, weights, second))
            torch.bmm(out, scores.by_key(weights).transpose(1, 2), out=to_v)
            torch.bmm(k, changes, out=to_q)
            torch.bmm(q, changes.transpose(1, 2), out=to_k)
        return *results, None, None


class _Scores:
    """Those of some heads at a time: [n, L, M] or [n, M, L], whichever has the longer rows."""

    def __init__(self, tokens: int, keys: int, normalizer: AppliedNormalizer, at_once: int) -> None:
        self._normalizer = normalizer
        self._key_dim = 2 if keys >= tokens else 1
        self._shape = (tokens, keys) if keys >= tokens else (keys, tokens)
        self._heads = max(1, at_once // (tokens * keys))

    def blocks(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """So many heads of each [N, …] as are taken at a time."""
        return zip(*(torch.split(tensor, self._heads) for tensor in tensors), strict=True)

    def buffers(self, like: Tensor, count: int) -> Tensor:
        """``count`` times the memory of a block, for all blocks: new memory for each costs as much as the products."""
        return like.new_empty(count, min(self._heads, len(like)), *self._shape)

    def weights(self, query: Tensor, key: Tensor, buffer: Tensor) -> Tensor:
        """How much of each value each query takes."""
        scores = self._products(query, key, buffer)
        return F.relu_(scores) if self._normalizer == "relu" else torch.softmax(scores, self._key_dim, out=scores)

    def gradient(self, mixed: Tensor, value: Tensor, weights: Tensor, buffer: Tensor) -> Tensor:
        """That of the scores, from ``mixed``, that of what was mixed by the weights: [n, D, L]."""
        of_weights = self._products(mixed, value, buffer)
        if self._normalizer == "relu":
            torch.ops.aten.threshold_backward(of_weights, weights, 0, grad_input=of_weights)
            return of_weights
        return softmax_backward(of_weights, weights, self._key_dim)

    def by_key(self, scores: Tensor) -> Tensor:
        """[n, M, L]"""
        return scores if self._key_dim == 1 else scores.transpose(1, 2)

    def _products(self, of_queries: Tensor, of_keys: Tensor, buffer: Tensor) -> Tensor:
        rows, columns = (of_queries, of_keys) if self._key_dim == 2 else (of_keys, of_queries)
        return torch.bmm(rows.transpose(1, 2), columns, out=buffer[: len(rows)])
