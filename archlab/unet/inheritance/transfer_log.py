"""Notes where every weight of a child comes from while weights are inherited."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from torch import nn

from archlab.unet.inherited import How, Inheritance, InheritedTensors
from archlab.unet.unet import UNet

_PART_DEPTH = {"down": 3, "up": 3, "middle": 2, "downsample": 2, "upsample": 2}


class TransferLog:
    """Which weights of ``child`` came from ``parent``.

    What no rule enters is new in the child, or dropped with the parent.
    """

    def __init__(self, parent: UNet, child: UNet) -> None:
        self._parent, self._child = parent, child
        self._entries: dict[nn.Module, list[tuple[How, int, float | None, str]]] = defaultdict(list)
        self._taken: dict[nn.Module, int] = defaultdict(int)
        self._left_new: set[nn.Module] = set()

    def enter(
        self,
        target: nn.Module,
        sources: Sequence[nn.Module],
        how: How,
        params: int,
        error: float | None = None,
        note: str = "",
    ) -> None:
        """``params`` weights of the layer ``target`` came from ``sources``; a fit takes all that the sources had."""
        self._entries[target].append((how, params, error, note))
        for source in sources:
            self._taken[source] += _params(source) if how == "fitted" else params

    def leave_new(self, *layers: nn.Module) -> None:
        """Note that a rule leaves these layers of the child new, whatever the parent has in their place."""
        self._left_new.update(layers)

    def is_settled(self, layer: nn.Module) -> bool:
        """Whether a rule has said where the weights of the child's layer come from."""
        return layer in self._entries or layer in self._left_new

    def close(self) -> Inheritance:
        """The whole, in the order of the child's modules."""
        dropped: dict[str, int] = defaultdict(int)
        for name, layer in _layers(self._parent):
            dropped[_split(name)[0]] += max(0, _params(layer) - self._taken[layer])
        return Inheritance(
            parent=self._parent.spec.id,
            rows=tuple(row for name, layer in _layers(self._child) for row in self._rows(name, layer)),
            dropped={part: params for part, params in dropped.items() if params},
        )

    def _rows(self, name: str, layer: nn.Module) -> Iterator[InheritedTensors]:
        part, tensors = _split(name)
        new = _params(layer)
        for how, params, error, note in self._entries[layer]:
            new -= params
            yield InheritedTensors(part=part, tensors=tensors, how=how, params=params, error=error, note=note)
        if new:
            yield InheritedTensors(part=part, tensors=tensors, how="new", params=new)


def _layers(unet: UNet) -> Iterator[tuple[str, nn.Module]]:
    """Modules that own weights."""
    return (
        (name, module)
        for name, module in unet.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    )


def _params(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters(recurse=False))


def _split(name: str) -> tuple[str, str]:
    """``down.0.1.residual.conv1`` → ``down.0.1`` and ``residual.conv1``."""
    words = name.split(".")
    depth = _PART_DEPTH.get(words[0], 1)
    return ".".join(words[:depth]), ".".join(words[depth:])
