"""Hand on the time embedding and SDXL's added embedding."""

import torch

from archlab.unet.inheritance.layers import Transfer, carried_params, silence, write
from archlab.unet.inheritance.selection import Selection, by_position, choose
from archlab.unet.time_embedding import AddedEmbedding, TimeEmbedding, sinusoids

_TIMESTEPS = 1000


def carry_time_embedding(transfer: Transfer, target: TimeEmbedding, source: TimeEmbedding, outputs: Selection) -> None:
    """Both layers, and the guidance's. Where the sinusoids are others the first layer is fitted to give what it gave,
    by least squares over all time steps."""
    hidden = choose(transfer.importance(source.linear2), target.linear2.in_features)
    transfer.layer(target.linear2, source.linear2, outputs, hidden)
    if target.sinusoid_dim == source.sinusoid_dim:
        unchanged = by_position(source.sinusoid_dim, target.sinusoid_dim)
        transfer.layer(target.linear1, source.linear1, hidden, unchanged)
    else:
        _fit_to_sinusoids(transfer, target, source, hidden)
    _carry_guidance(transfer, target, source, hidden)


def _fit_to_sinusoids(transfer: Transfer, target: TimeEmbedding, source: TimeEmbedding, hidden: Selection) -> None:
    timesteps = torch.arange(_TIMESTEPS)
    one = torch.ones(_TIMESTEPS, 1, dtype=torch.float64)
    wanted = source.linear1(sinusoids(timesteps, source.sinusoid_dim).to(source.linear1.weight)).double()
    waves = torch.cat([sinusoids(timesteps, target.sinusoid_dim).double(), one], dim=1)
    solution = torch.linalg.lstsq(waves, wanted, rcond=1e-5, driver="gelsd").solution
    error = ((waves @ solution - wanted).norm() / wanted.norm()).item()
    write(target.linear1, solution[:-1, hidden.origins].T, solution[-1, hidden.origins])
    params = carried_params(target.linear1, hidden, by_position(target.sinusoid_dim, target.sinusoid_dim))
    transfer.log.enter(target.linear1, [source.linear1], "fitted", params, error, "least squares over time steps")


def _carry_guidance(transfer: Transfer, target: TimeEmbedding, source: TimeEmbedding, hidden: Selection) -> None:
    """What the guidance adds after the first layer stays, by least squares; one of another width adds nothing."""
    if target.guidance is None:
        return
    if source.guidance is None or source.guidance.in_features != target.guidance.in_features:
        silence(target.guidance)
        transfer.log.leave_new(target.guidance)
        return
    inputs = by_position(source.guidance.in_features, target.guidance.in_features)
    places = by_position(source.sinusoid_dim, target.sinusoid_dim)
    if target.sinusoid_dim == source.sinusoid_dim:
        transfer.layer(target.guidance, source.guidance, places, inputs)
        return
    wanted = (source.linear1.weight[hidden.origins] @ source.guidance.weight).double()
    first = target.linear1.weight.double()
    solution = torch.linalg.lstsq(first, wanted, driver="gelsd").solution
    error = ((first @ solution - wanted).norm() / wanted.norm().clamp_min(1e-30)).item()
    write(target.guidance, solution)
    params = carried_params(target.guidance, by_position(target.sinusoid_dim, target.sinusoid_dim), inputs)
    transfer.log.enter(target.guidance, [source.guidance], "fitted", params, error, "least squares of what it adds")


def carry_added_embedding(
    transfer: Transfer, target: AddedEmbedding | None, source: AddedEmbedding | None, outputs: Selection
) -> None:
    """Both layers, where the conditioning has the same form; otherwise it starts silent."""
    if target is None:
        return
    if source is None or (target.linear1.in_features, target.time_dim) != (source.linear1.in_features, source.time_dim):
        silence(target.linear2)
        transfer.log.leave_new(target.linear1, target.linear2)
        return
    hidden = choose(transfer.importance(source.linear2), target.linear2.in_features)
    inputs = by_position(source.linear1.in_features, target.linear1.in_features)
    transfer.layer(target.linear1, source.linear1, hidden, inputs)
    transfer.layer(target.linear2, source.linear2, outputs, hidden)
