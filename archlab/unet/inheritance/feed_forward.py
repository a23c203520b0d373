"""Hand on the weights of a feed-forward."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from archlab.unet.inheritance.layers import Transfer, carried_params, read, silence
from archlab.unet.inheritance.methods import NeuronCriterion
from archlab.unet.inheritance.observations import Moments
from archlab.unet.inheritance.selection import Selection, choose
from archlab.unet.inherited import How
from archlab.unet.transformer import FeedForward

_RIDGE = 1e-4


def carry_feed_forward(transfer: Transfer, target: FeedForward, source: FeedForward, tokens: Selection) -> None:
    """Both layers. A narrower one keeps the neurons that matter by the transfer's criterion; of a wider one the new
    neurons start at random and contribute nothing.

    An ungated one becomes gated exactly, with a one for what the gate multiplies; a gated one has no ungated equal,
    so that one starts new and silent.
    """
    if source.gated and not target.gated:
        silence(target.contract)
        transfer.log.leave_new(target.expand, target.contract)
        return
    moments = transfer.observations.moments.get(source.contract)
    criterion: NeuronCriterion = transfer.methods.neurons if moments else "weights"
    neurons = choose(NEURON_CRITERIA[criterion](source, moments), target.contract.in_features)
    rows = neurons + neurons if source.gated else neurons
    weight, bias, error = read(source.expand.weight, source.expand.bias, tokens, transfer.moments(source.expand))
    gate_offset = len(neurons.origins) if target.gated and not source.gated else 0
    target.expand.weight[rows.read + gate_offset] = weight[rows.kept]
    target.expand.bias[rows.read + gate_offset] = cast(Tensor, bias)[rows.kept]
    if gate_offset:
        target.expand.weight[:gate_offset] = 0
        target.expand.bias[:gate_offset] = 1
    how: How = "trimmed" if len(neurons.dropped) + len(tokens.dropped) else "kept"
    params, note = carried_params(target.expand, rows, tokens), f"by {criterion}" if len(neurons.dropped) else ""
    transfer.log.enter(target.expand, [source.expand], how, params, error, note)
    transfer.layer(target.contract, source.contract, tokens, neurons)


def _by_weights(layer: FeedForward, moments: Moments | None) -> Tensor:
    """Norm of the neuron's column in the last layer times that of its row (gated: rows) in the first."""
    rows: Tensor = torch.linalg.vector_norm(layer.expand.weight, dim=1)
    return _columns(layer) * rows.reshape(-1, layer.contract.in_features).prod(0)


def _by_activation(layer: FeedForward, moments: Moments | None) -> Tensor:
    """Norm of the neuron's column times its root mean square activation: what the output loses without it."""
    return _columns(layer) * cast(Moments, moments).second.diagonal().sqrt()


def _by_replaceability(layer: FeedForward, moments: Moments | None) -> Tensor:
    """What the output loses without the neuron when the others make up for it: norm of its column over the root of its
    place on the diagonal of the inverse covariance (optimal brain surgeon, Hassibi & Stork 1993)."""
    covariance = cast(Moments, moments).covariance
    ridge = _RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=covariance.dtype)
    inverse: Tensor = torch.linalg.inv(covariance + ridge)
    return _columns(layer) / inverse.diagonal().sqrt()


def _columns(layer: FeedForward) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(layer.contract.weight, dim=0)
    return norms


NEURON_CRITERIA: dict[NeuronCriterion, Callable[[FeedForward, Moments | None], Tensor]] = {
    "weights": _by_weights,
    "activation": _by_activation,
    "replaceability": _by_replaceability,
}
