"""A changed architecture with the weights of a trained one."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

from archlab.architecture import Node, UNetSpec, layout, match, match_stages
from archlab.errors import BadInput
from archlab.unet.blocks import UNetBlock
from archlab.unet.inheritance.blocks import Axes, carry_block, start_as_identity
from archlab.unet.inheritance.embeddings import carry_added_embedding, carry_time_embedding
from archlab.unet.inheritance.layers import Transfer
from archlab.unet.inheritance.methods import Methods
from archlab.unet.inheritance.observations import observe
from archlab.unet.inheritance.selection import Selection, by_position, choose, unrelated
from archlab.unet.inheritance.transfer_log import TransferLog
from archlab.unet.unet import UNet, build


def inherit(
    parent: UNet,
    spec: UNetSpec,
    calibration: Iterable[tuple[Any, ...]] | None = None,
    *,
    methods: Methods | None = None,
) -> UNet:
    """The UNet of ``spec`` with as much of a trained one's function as it can take over.

    Blocks that both have (see `archlab.architecture.match`) keep their weights; what is gone drops its own; what is
    added starts without effect, its last layer zero; a transformer that moves to another stage counts as added.
    Between these:

    - Narrower stages keep the channels that matter, the same everywhere in the stage and whole groups of GroupNorm
      where it can be; wider ones have copies that nothing reads yet.
    - Keys and values become one projection by the way that changes the attention's output least.
    - A narrower feed-forward keeps the neurons that matter; a wider one's new neurons contribute nothing yet.
    - Dense convolutions become separable by the best fit of rank one, separable ones dense exactly.
    - Activations and attention normalisers change and the weights stay.

    The parent's own spec gives back the parent. A wider feed-forward, deeper transformers, more blocks, K and V of
    their own, dense convolutions, and stages doubled at the same number of groups leave the output as it was.

    Args:
        parent: left as it is.
        calibration: batches (sample, timestep, context[, added]) to run the parent on, of any device and precision.
            What is important, and how what stays makes up for what goes, is then judged by activations; otherwise by
            weights alone.
        methods: where there are several ways, another than the one that measured best.

    Returns:
        The child, on the parent's device and in its precision, in training mode; ``child.inheritance`` says where every
        weight comes from. What is new follows torch's generator.

    Raises:
        BadInput: the parent is no `UNet`, ``spec`` no `UNetSpec`, or numbers of the parent or of what it computes on
            the calibration data are not finite.
    """
    if not isinstance(parent, UNet):
        raise BadInput(f"inherit: the parent must be a UNet that archlab built, not {type(parent).__name__}")
    if not isinstance(spec, UNetSpec):
        raise BadInput(f"inherit: the architecture must be a UNetSpec, not {type(spec).__name__}")
    for name, tensor in parent.named_parameters():
        if not tensor.isfinite().all():
            raise BadInput(f"inherit: the parent's {name} has values that are not finite; it is damaged or diverged")
    weight = parent.conv_in.weight
    precision = torch.promote_types(weight.dtype, torch.float32)
    if weight.device.type != "cpu" or weight.dtype != precision:
        parent = copy.deepcopy(parent).to("cpu", precision)
    child = build(spec).to(precision)
    log = TransferLog(parent, child)
    with torch.no_grad():
        transfer = Transfer(observe(parent, calibration or ()), methods or Methods(), log)
        _Succession(parent, child, transfer).run()
    child.inheritance = log.close()
    return child.to(weight)


class _Succession:
    """Hands a parent's weights to a child, node by node."""

    def __init__(self, parent: UNet, child: UNet, transfer: Transfer) -> None:
        self._parent, self._child, self._transfer = parent, child, transfer
        self._old = _Wiring(parent.spec)
        self._new = _Wiring(child.spec)
        self._stage_origin = match_stages(parent.spec, child.spec)
        self._streams = {stage: self._choose_stream(stage, origin) for stage, origin in self._stage_origin.items()}
        self._time = choose(self._time_importance(), child.time_embedding.linear2.out_features)

    def run(self) -> None:
        parent, child, transfer = self._parent, self._child, self._transfer
        outermost = self._streams[0]
        carry_time_embedding(transfer, child.time_embedding, parent.time_embedding, self._time)
        carry_added_embedding(transfer, child.added_embedding, parent.added_embedding, self._time)
        latent = by_position(parent.spec.in_channels, child.spec.in_channels)
        transfer.layer(child.conv_in, parent.conv_in, outermost, latent)
        origins = match(parent.spec, child.spec)
        for name, node in self._new.nodes.items():
            if node.kind == "block":
                self._carry_block(node, self._old.nodes.get(origins.get(name, "")))
            elif node.kind in ("downsample", "upsample") and name in origins:
                stream = self._stream(self._new.stage[name], self._old.stage[origins[name]])
                target, source = _resampling(child, name), _resampling(parent, origins[name])
                transfer.convolution(target, source, stream, stream)
                transfer.others(child.get_submodule(name), parent.get_submodule(origins[name]))
        transfer.norm(child.norm_out, parent.norm_out, outermost)
        prediction = by_position(parent.spec.out_channels, child.spec.out_channels)
        transfer.layer(child.conv_out, parent.conv_out, prediction, outermost)
        self._carry_others()

    def _carry_block(self, node: Node, origin: Node | None) -> None:
        target = _block(self._child, node)
        if origin is None:
            start_as_identity(target, node.in_channels)
            return
        outputs = self._stream(self._new.stage[node.name], self._old.stage[origin.name])
        inputs = self._stream(self._new.input_stage[node.name], self._old.input_stage[origin.name])
        axes = Axes(inputs + self._skip(node, origin), outputs, self._time)
        carry_block(self._transfer, target, _block(self._parent, origin), axes)
        self._transfer.others(target, _block(self._parent, origin))

    def _carry_others(self) -> None:
        """Parts of the UNet beside its nodes."""
        of_nodes = {name.partition(".")[0] for name in self._new.nodes}
        for name, part in self._child.named_children():
            origin = getattr(self._parent, name, None)
            if name not in of_nodes and isinstance(origin, nn.Module):
                self._transfer.others(part, origin)

    def _skip(self, node: Node, origin: Node) -> Selection:
        if node.skip_from is None or origin.skip_from is None:
            return unrelated(origin.skip_channels, node.skip_channels)
        return self._stream(self._new.stage[node.skip_from], self._old.stage[origin.skip_from])

    def _stream(self, stage: int, origin: int) -> Selection:
        """A stage's channels as those of a stage of the parent; by position where that is another one's."""
        if self._stage_origin.get(stage) == origin:
            return self._streams[stage]
        return by_position(self._parent.spec.stages[origin].channels, self._child.spec.stages[stage].channels)

    def _choose_stream(self, stage: int, origin: int) -> Selection:
        importance = sum(self._readers_shares(origin), torch.zeros(self._parent.spec.stages[origin].channels))
        groups = (self._parent.spec.norm_groups, self._child.spec.norm_groups)
        return choose(importance, self._child.spec.stages[stage].channels, groups)

    def _readers_shares(self, stage: int) -> Iterator[Tensor]:
        """For everything in the parent that reads the stage's channels, the share of each in what it gives out."""
        parent, importance = self._parent, self._transfer.importance
        width = parent.spec.stages[stage].channels
        for name, node in self._old.nodes.items():
            here = self._old.stage[name] == stage
            if node.kind == "block":
                block = _block(parent, node)
                shares = [importance(block.residual.conv1, block.residual.norm1)]
                if isinstance(block.residual.shortcut, nn.Conv2d):
                    shares.append(importance(block.residual.shortcut))
                if self._old.input_stage[name] == stage:
                    yield from (share[:width] for share in shares)
                if node.skip_from is not None and self._old.stage[node.skip_from] == stage:
                    yield from (share[node.in_channels :] for share in shares)
                if here and block.transformers is not None:
                    yield importance(block.transformers.project_in, block.transformers.norm)
            elif node.kind in ("downsample", "upsample") and here:
                yield importance(_resampling(parent, name))
        if stage == 0:
            yield importance(parent.conv_out, parent.norm_out)

    def _time_importance(self) -> Tensor:
        shares = [
            self._transfer.importance(_block(self._parent, node).residual.time_projection)
            for node in self._old.nodes.values()
            if node.kind == "block"
        ]
        return torch.stack(shares).sum(0)


class _Wiring:
    """A spec's nodes by name, and the stage whose channels each one gives out and takes in."""

    def __init__(self, spec: UNetSpec) -> None:
        self.nodes = {node.name: node for node in layout(spec)}
        self.stage = {name: _stage(name, len(spec.stages) - 1) for name in self.nodes}
        self.input_stage = dict(zip(list(self.nodes)[1:], self.stage.values(), strict=False))


def _stage(name: str, last: int) -> int:
    kind, *numbers = name.split(".")
    return last if kind == "middle" else int(numbers[0]) if numbers else 0


def _block(unet: UNet, node: Node) -> UNetBlock:
    return cast(UNetBlock, unet.get_submodule(node.name))


def _resampling(unet: UNet, name: str) -> nn.Module:
    """The convolution of a ``downsample`` or ``upsample`` node."""
    return unet.get_submodule(f"{name}.conv")
