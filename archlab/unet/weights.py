"""A network with tensors that somebody's file has."""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from archlab.errors import BadInput, shown

NetworkT = TypeVar("NetworkT", bound=nn.Module)

_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def with_weights(
    network: NetworkT, weights: Mapping[str, Tensor], names: Mapping[str, str], where: str = ""
) -> NetworkT:
    """Give the network copies of the tensors, in float32; in eval mode.

    Args:
        network: may be on torch's ``meta`` device.
        names: the tensor's name among ``weights`` by the network's own, for each of the network's.
        where: begins the message about one that is wrong.

    Raises:
        BadInput: a tensor is missing or unexpected, of another shape or type, or not finite.
    """
    if any(".lora_A." in name for name in weights):
        raise BadInput(f"{where}a LoRA is apart from the weights: fuse_lora(), unload_lora_weights(), then save again")
    for problem, wrong in (
        ("missing", [name for name in names.values() if name not in weights]),
        ("unexpected", sorted(set(weights) - set(names.values()))),
    ):
        if wrong:
            raise BadInput(
                f"{where}{problem} tensors: {len(wrong)}, the first is {shown(wrong[0])}; "
                "the weights are not those of this config"
            )
    state = {
        ours: _fitted(theirs, weights[theirs], network.get_parameter(ours), where) for ours, theirs in names.items()
    }
    network.load_state_dict(state, assign=True)
    return network.eval()


def copied(tensor: Tensor) -> Tensor:
    """A contiguous copy in float32, without a gradient."""
    return tensor.detach().to(torch.float32, copy=True).contiguous()


def _fitted(name: str, tensor: Tensor, like: Tensor, where: str) -> Tensor:
    """A finite float32 copy in the shape of ``like``; projections in and out may be 1 × 1 convolutions."""
    if tensor.shape != like.shape and tensor.shape != (*like.shape, 1, 1):
        raise BadInput(f"{where}{name} has shape {[*tensor.shape]}; this config needs {[*like.shape]}")
    if tensor.dtype not in _DTYPES:
        raise BadInput(f"{where}{name} is {tensor.dtype}; weights must be float32, float16 or bfloat16")
    fitted = copied(tensor).reshape(like.shape)
    if not fitted.isfinite().all():
        raise BadInput(f"{where}{name} has values that are not finite; the weights are damaged")
    return fitted
