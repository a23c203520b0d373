"""Hand on linear layers, convolutions and norms whose inputs and outputs are a selection of the parent's.

Layout of a weight: [outputs, inputs, …].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from archlab.unet.blocks import SeparableConv
from archlab.unet.inheritance.kernels import dense_kernel, low_rank, rank_one
from archlab.unet.inheritance.methods import Methods
from archlab.unet.inheritance.observations import Moments, Observations
from archlab.unet.inheritance.selection import Selection, by_position, choose
from archlab.unet.inheritance.transfer_log import TransferLog
from archlab.unet.inherited import How

Layer = nn.Linear | nn.Conv2d
_RIDGE = 1e-4


class Approximation(NamedTuple):
    """How weights were fitted that do nearly what others did, and their relative error where it was estimated."""

    way: str
    error: float | None


@dataclass(frozen=True)
class Transfer:
    """One inheritance: what was observed of the parent, by which methods, and where each weight came from."""

    observations: Observations
    methods: Methods
    log: TransferLog

    def layer(self, target: Layer, source: Layer, outputs: Selection, inputs: Selection) -> None:
        """A linear layer or dense convolution."""
        self.place(target, source.weight, source.bias, outputs, inputs, [source], moments=self.moments(source))

    def place(
        self,
        target: Layer,
        weight: Tensor,
        bias: Tensor | None,
        outputs: Selection,
        inputs: Selection,
        sources: Sequence[nn.Module],
        *,
        fit: Approximation | None = None,
        moments: Moments | None = None,
    ) -> None:
        """A weight of the parent's size as the weight of ``target``.

        Args:
            sources: the parent's layers that the weight comes from.
            fit: how it came from them, if it is not one of theirs.
            moments: of the weight's inputs.
        """
        weight, bias, lost = read(weight, bias, inputs, moments)
        write(target, weight[outputs.origins], None if bias is None else bias[outputs.origins])
        how: How = "fitted" if fit else "trimmed" if len(inputs.dropped) + len(outputs.dropped) else "kept"
        params = carried_params(target, outputs, inputs)
        errors = [error for error in (fit and fit.error, lost) if error is not None]
        self.log.enter(target, sources, how, params, max(errors, default=None), fit.way if fit else "")

    def norm(self, target: nn.Module, source: nn.Module, channels: Selection) -> None:
        """Scale and shift of a GroupNorm or LayerNorm."""
        write(target, _weight(source)[channels.origins], cast(Tensor, source.bias)[channels.origins])
        how: How = "trimmed" if len(channels.dropped) else "kept"
        self.log.enter(target, [source], how, 2 * len(channels.kept))

    def convolution(self, target: nn.Module, source: nn.Module, outputs: Selection, inputs: Selection) -> None:
        """A 3×3 convolution, dense, separable or expanded, as any of them.

        Dense → separable is the best rank-one fit of each input channel's kernels, dense → expanded the best fit of as
        many ranks as there are inner channels; separable and expanded → dense are exact.
        """
        if isinstance(target, SeparableConv) and isinstance(source, SeparableConv) and _alike(target, source):
            self._separable(target, source, outputs, inputs)
        elif isinstance(target, SeparableConv):
            self._separate(target, source, outputs, inputs)
        elif isinstance(source, SeparableConv):
            self.place(
                _conv(target),
                dense_kernel(source),
                source.pointwise.bias,
                outputs,
                inputs,
                _parts(source),
                fit=Approximation("exact", 0.0),
                moments=self.moments(_parts(source)[0]),
            )
        else:
            self.layer(_conv(target), _conv(source), outputs, inputs)

    def _separable(self, target: SeparableConv, source: SeparableConv, outputs: Selection, inputs: Selection) -> None:
        """Both expanded, or neither."""
        within = inputs
        if target.expand is not None and source.expand is not None:
            within = choose(_input_energy(source.pointwise), target.expand.out_channels)
            self.layer(target.expand, source.expand, within, inputs)
        write(target.depthwise, source.depthwise.weight[within.origins])
        how: How = "trimmed" if len(within.dropped) else "kept"
        self.log.enter(target.depthwise, [source.depthwise], how, 9 * len(within.kept))
        self.layer(target.pointwise, source.pointwise, outputs, within)

    def _separate(self, target: SeparableConv, source: nn.Module, outputs: Selection, inputs: Selection) -> None:
        parts = _parts(source)
        whole = dense_kernel(source) if isinstance(source, SeparableConv) else _weight(source)
        kernel, bias, _ = read(whole, cast(Tensor, parts[-1].bias), inputs, self.moments(parts[0]))
        within, way = inputs, "rank one"
        if target.expand is None:
            depthwise, pointwise, error = rank_one(kernel)
        else:
            within, way = _whole(target.expand.out_channels), "low rank"
            expand, depthwise, pointwise, error = low_rank(kernel, target.expand.out_channels)
            write(target.expand, expand)
            self.log.enter(target.expand, parts, "fitted", carried_params(target.expand, within, inputs), error, way)
        write(target.depthwise, depthwise)
        write(target.pointwise, pointwise[outputs.origins], cast(Tensor, bias)[outputs.origins])
        self.log.enter(target.depthwise, parts, "fitted", 9 * len(within.kept), error, way)
        params = carried_params(target.pointwise, outputs, within)
        self.log.enter(target.pointwise, parts, "fitted", params, error, way)

    def others(self, target: nn.Module, source: nn.Module) -> None:
        """Layers within ``target`` that no rule has settled: taken over where ``source`` has the same in the same
        shapes, new otherwise. What a new attribute brings along is handed on so, until it has a rule of its own."""
        origins = dict(source.named_modules())
        for name, layer in target.named_modules():
            shapes, theirs = _own_shapes(layer), _own_shapes(origins.get(name))
            if shapes and shapes == theirs and not self.log.is_settled(layer):
                for parameter, weight in zip(_own(layer), _own(origins[name]), strict=True):
                    parameter.copy_(weight)
                self.log.enter(layer, [origins[name]], "kept", sum(weight.numel() for weight in _own(layer)))

    def importance(self, layer: nn.Module, norm: nn.Module | None = None) -> Tensor:
        """Share of each input channel in what the layer gives out: [inputs], adding up to 1.

        The square of the channel's weights times its mean square activation; without calibration data what the norm
        before it lets through.
        """
        entrance = _parts(layer)[0]
        energy = _input_energy(layer)
        if entrance in self.observations.moments:
            energy = energy * self.observations.moments[entrance].second.diagonal()
        elif norm is not None:
            energy = energy * (_weight(norm).square() + cast(Tensor, norm.bias).square())
        return energy / energy.sum().clamp(min=1e-30)

    def moments(self, source: nn.Module) -> Moments | None:
        """Of the layer's inputs, where the channels kept are to make up for those dropped."""
        return self.observations.moments.get(source) if self.methods.make_up else None


def read(
    weight: Tensor, bias: Tensor | None, inputs: Selection, moments: Moments | None
) -> tuple[Tensor, Tensor | None, float | None]:
    """The layer's weight and bias behind a selection of its inputs.

    What dropped inputs gave is made up for by those kept, as well as a linear map of these can (least squares over
    the observed activations; a layer with bias takes their mean in); without observations it is lost.

    Returns:
        Weight, bias, and the norm of what is lost over that of the output (None without observations).
    """
    selected = weight[:, inputs.origins].clone()
    selected[:, inputs.unread] = 0
    kept, dropped = inputs.kept, inputs.dropped
    if moments is None or not len(dropped):
        return selected, bias, None
    products = moments.second if bias is None else moments.covariance
    among = products[kept][:, kept]
    ridge = _RIDGE * among.diagonal().mean().clamp(min=1e-12) * torch.eye(len(kept), dtype=among.dtype)
    across = products[kept][:, dropped]
    share = torch.linalg.solve(among + ridge, across)
    lost = weight[:, dropped].double()
    selected[:, inputs.read] += torch.einsum("od...,kd->ok...", lost, share).to(weight.dtype)
    if bias is not None:
        offset = moments.mean[dropped] - moments.mean[kept] @ share
        bias = bias + (lost.flatten(2).sum(2) if lost.ndim > 2 else lost) @ offset.to(lost.dtype)
        bias = bias.to(weight.dtype)
    residual = products[dropped][:, dropped] - across.T @ share
    return selected, bias, (_energy(lost, residual) / _energy(weight.double(), moments.second)) ** 0.5


def write(target: nn.Module, weight: Tensor, bias: Tensor | None = None) -> None:
    """Set a layer's weights."""
    _weight(target).copy_(weight)
    if bias is not None:
        cast(Tensor, target.bias).copy_(bias)


def silence(layer: nn.Module) -> None:
    """Make a layer, the last before a residual sum, give out zero."""
    last = layer.pointwise if isinstance(layer, SeparableConv) else layer
    for parameter in last.parameters():
        parameter.zero_()


def carried_params(target: Layer, outputs: Selection, inputs: Selection) -> int:
    """How many weights of ``target`` are no copies and read no copies."""
    taps = target.weight[0, 0].numel()
    return len(outputs.kept) * (len(inputs.kept) * taps + (target.bias is not None))


def _input_energy(layer: nn.Module) -> Tensor:
    """Sum of squares of each input channel's weights."""
    if isinstance(layer, SeparableConv):
        within = layer.depthwise.weight.square().sum((1, 2, 3)) * _input_energy(layer.pointwise)
        return within if layer.expand is None else within @ layer.expand.weight[..., 0, 0].square()
    return _weight(layer).square().movedim(1, 0).flatten(1).sum(1)


def _energy(weight: Tensor, products: Tensor) -> float:
    """E‖W x‖² for E[x xᵀ], every tap of a kernel for itself."""
    taps = weight.reshape(*weight.shape[:2], -1)
    return torch.einsum("oit,ij,ojt->", taps, products, taps).clamp(min=1e-30).item()


def _own(layer: nn.Module | None) -> list[nn.Parameter]:
    """The layer's parameters without those of layers within it."""
    return [] if layer is None else list(layer.parameters(recurse=False))


def _own_shapes(layer: nn.Module | None) -> list[torch.Size]:
    return [parameter.shape for parameter in _own(layer)]


def _weight(layer: nn.Module) -> Tensor:
    return cast(Tensor, layer.weight)


def _parts(layer: nn.Module) -> list[nn.Module]:
    """The layers that a convolution consists of, in the order of execution; any other layer itself."""
    if not isinstance(layer, SeparableConv):
        return [layer]
    return [part for part in (layer.expand, layer.depthwise, layer.pointwise) if part is not None]


def _alike(target: SeparableConv, source: SeparableConv) -> bool:
    return (target.expand is None) == (source.expand is None)


def _whole(channels: int) -> Selection:
    return by_position(channels, channels)


def _conv(layer: nn.Module) -> nn.Conv2d:
    return cast(nn.Conv2d, layer)
