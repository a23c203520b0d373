"""Attention: softmax(QKᵀ/√d) V, or by relu."""

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from archlab.architecture.parts import AppliedNormalizer
from archlab.unet.cpu_attention import Processor, attend_in_blocks, learns_faster_in_blocks, this_processor


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    normalizer: AppliedNormalizer,
    training: bool,
    processor: Processor | None = None,
) -> Tensor:
    """softmax(QKᵀ/√d) V, or relu(QKᵀ/√d) V/M, for every head: [B, L, C], [B, M, C], [B, M, C] → [B, L, C].

    In training, gradients may be of the first order only. Out of it every operator is one of torch's plain ones,
    which whoever traces, counts or converts a network knows.

    Args:
        processor: what it is trained on, if on a CPU; this machine's by default.
    """
    tokens = (query, key, value)
    if has_torch_function(tokens):  # a converter's symbols, which have attention of their own
        attended: Tensor = handle_torch_function(attend, tokens, *tokens, heads, normalizer, training)
        return attended
    if training and query.requires_grad and query.device.type == "cpu":
        processor = processor or this_processor()
        if learns_faster_in_blocks(query, key, heads, normalizer, processor):
            return attend_in_blocks(query, key, value, heads, normalizer, processor.scores_at_once)
    return attend_by_formula(query, key, value, heads, normalizer)


def attend_by_formula(
    query: Tensor, key: Tensor, value: Tensor, heads: int, normalizer: AppliedNormalizer, training: bool = False
) -> Tensor:
    """`attend` by torch's plain operators, ``training`` or not."""
    query, key, value = (x.view(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key, value))
    if normalizer == "softmax":
        mixed = F.scaled_dot_product_attention(query, key, value)
    else:
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        mixed = (F.relu(scores) / key.shape[-2]) @ value
    return mixed.transpose(1, 2).flatten(2)
