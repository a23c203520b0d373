"""What a network costs: the whole, its parts and its kinds of operators."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

PartKind = Literal["embedding", "conv_in", "block", "downsample", "upsample", "conv_out"]
OperatorKind = Literal[
    "embedding",
    "conv_in",
    "residual_conv",
    "shortcut",
    "time_projection",
    "resampling",
    "stack_projection",
    "self_attention_projection",
    "self_attention_product",
    "cross_attention_projection",
    "cross_attention_product",
    "feed_forward",
    "norm",
    "conv_out",
]
Precision = Literal["fp32", "fp16", "int8"]


class PartCost(NamedTuple):
    """Cost of one part of the network; the fields are those of `Cost`."""

    name: str
    kind: PartKind
    params: int
    macs: int
    macs_without_attention: int
    activation_bytes: int


class KindCost(NamedTuple):
    """Cost of all operators of one kind.

    ``residual_conv`` is the two convolutions of residual blocks, ``shortcut`` their 1×1 one; ``stack_projection`` goes
    into and out of a stack of transformers; an attention's ``projection`` is query, key, value and out, its
    ``product`` Q·Kᵀ and P·V; ``norm`` has params and no MACs.
    """

    kind: OperatorKind
    params: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of one forward pass at batch 1.

    Attributes:
        params: number of weights.
        macs, macs_without_attention: with and without the attention products; see `count`.
        activation_bytes: most that is alive at once in fp32: the skips waiting, one operator's inputs and outputs, and
            the residual kept aside. Operators run one by one, nothing fused or in place.
        weight_bytes: size of the weights. ``int8``: a byte for each weight of a convolution or matrix, with an fp32
            scale for each of its output channels (symmetric, as TFLite's weight quantisation); biases and norms fp32.
        by_block: the parts in the order of execution; their params and MACs add up to the whole.
        by_kind: the kinds of operators that the network has; their params and MACs add up to the whole.
    """

    params: int
    macs: int
    macs_without_attention: int
    activation_bytes: int
    weight_bytes: Mapping[Precision, int]
    by_block: tuple[PartCost, ...]
    by_kind: tuple[KindCost, ...]

    def __repr__(self) -> str:
        memory = f"{self.activation_bytes / 1e6:,.4g} MB of activations"
        return f"<Cost {self.params_m:,.4g} M params, {self.macs_g:,.4g} G MACs, {memory}>"

    def _repr_html_(self) -> str:
        """The whole, and its kinds of operators, for notebooks."""
        from pandas import DataFrame

        rows = [(part.kind, part.params / 1e6, part.macs / 1e9) for part in self.by_kind]
        table = DataFrame([*rows, ("together", self.params_m, self.macs_g)], columns=["", "params (M)", "MACs (G)"])
        return table.to_html(index=False, border=0, float_format="{:,.4g}".format)

    @property
    def params_m(self) -> float:
        """Params in millions."""
        return self.params / 1e6

    @property
    def macs_g(self) -> float:
        """MACs in billions, attention products included."""
        return self.macs / 1e9

    def macs_per_image(self, steps: int, *, guidance: bool = True) -> int:
        """MACs of the UNet for one image: classifier-free ``guidance`` runs it twice a step."""
        return steps * (2 if guidance else 1) * self.macs

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        lists = {name: [part._asdict() for part in getattr(self, name)] for name in ("by_block", "by_kind")}
        return asdict(self) | lists
