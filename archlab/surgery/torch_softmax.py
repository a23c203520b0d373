"""torch's kernel for the gradient of softmax, with a place for its result.

Written for torch 2.11 to 2.13: ``torch._softmax_backward_data`` is private. The formula in torch's public operators is
one more pass over the scores.
"""

from functools import cache

import torch
from torch import Tensor

from archlab.surgery.fallback import fall_back

WRITTEN_FOR = "2.11 to 2.13"


def softmax_backward(gradient: Tensor, weights: Tensor, dim: int) -> Tensor:
    """The gradient of scores from that of ``weights``, their softmax along ``dim``; it replaces ``gradient``."""
    if _fits():
        return torch._softmax_backward_data(gradient, weights, dim, weights.dtype, grad_input=gradient)
    return by_formula(gradient, weights, dim)


def by_formula(gradient: Tensor, weights: Tensor, dim: int) -> Tensor:
    """The same by public operators: w · (g − Σ w g)."""
    return gradient.sub_((gradient * weights).sum(dim, keepdim=True)).mul_(weights)


@cache
def _fits() -> bool:
    gradient, weights = torch.tensor([[1.0, 3.0]]), torch.tensor([[0.25, 0.75]])
    try:
        result = torch._softmax_backward_data(gradient.clone(), weights, 1, weights.dtype, grad_input=gradient.clone())
        if torch.allclose(result, by_formula(gradient, weights, 1)):
            return True
        why = "_softmax_backward_data gives other numbers"
    except (AttributeError, TypeError, RuntimeError) as error:
        why = str(error)
    fall_back("torch", WRITTEN_FOR, why, "attention learns by public operators on this CPU, a little slower")
    return False
