"""The cost formulas beside three counters written elsewhere, every difference explained to the last MAC.

torch's FlopCounterMode and thop see the module on the ``meta`` device: no weights, no arithmetic. fvcore traces with
torch.jit, which cannot follow meta tensors, and so runs one real pass on the CPU (SD 1.5: 12 s on one core); its
weights are memory that nobody writes to, which the system does not provide until then.

Written for fvcore 0.1.5 and thop 0.1.1, whose conventions are the reasons below; another release of either shows as a
difference that is not explained.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archlab.architecture import Transformer, UNetSpec, map_transformers
from archlab.cost import Cost, count
from archlab.errors import require
from archlab.remarks import unheard
from archlab.unet.blocks import Upsample
from archlab.unet.unet import UNet, build

Tool = Literal["fvcore", "thop", "torch"]
Formula = Callable[[UNetSpec], Cost]

_PURPOSE = "the check of the cost formulas"
_CONVOLUTIONS, _LINEAR, _PRODUCTS, _OTHERS = "convolutions", "linear layers", "attention products", "everything else"
_SAME = "the same convention"
_FVCORE_NORM, _FVCORE_UPSAMPLE = 5, 1  # what fvcore takes for an element


class Check(NamedTuple):
    """One sort of operator as a tool counts it, and as the formulas do.

    Attributes:
        theirs, ours: MACs at batch 1.
        explained: the difference that ``why`` predicts, without asking the tool.
    """

    tool: Tool
    operators: str
    theirs: int
    ours: int
    explained: int
    why: str

    @property
    def difference(self) -> int:
        """Theirs less ours."""
        return self.theirs - self.ours

    @property
    def unexplained(self) -> int:
        """What is left of the difference; 0 where the formulas are right."""
        return self.difference - self.explained


def check(spec: UNetSpec, tools: Collection[Tool] = get_args(Tool), formula: Formula = count) -> list[Check]:
    """Count a spec by some tools and by formula.

    Raises:
        MissingExtra: fvcore or thop is not installed.
    """
    return [row for tool in tools for row in _CHECKS[tool](spec, formula)]


def _check_torch(spec: UNetSpec, formula: Formula) -> Iterator[Check]:
    ours = _by_formula(spec, formula)
    unet, arguments = _module(spec, "meta")
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        unet(*arguments)
    flops = {str(operator): number for operator, number in counter.get_flop_counts().get("Global", {}).items()}
    names = {"convolution": _CONVOLUTIONS, "addmm": _LINEAR, "mm": _LINEAR, "bmm": _PRODUCTS}
    theirs = _by_sort({name.removeprefix("aten."): number // 2 for name, number in flops.items()}, names)
    why = {
        _CONVOLUTIONS: "two FLOPs are one MAC",
        _LINEAR: "two FLOPs are one MAC",
        _PRODUCTS: "two FLOPs are one MAC; attention written out, as the CPU's fused kernel would count 0",
    }
    return _checks("torch", theirs, {sort: ours[sort] for sort in why}, {}, why)


def _check_thop(spec: UNetSpec, formula: Formula) -> Iterator[Check]:
    ours = _by_formula(spec, formula)
    thop, hooks = (require(name, _PURPOSE) for name in ("thop", "thop.vision.basic_hooks"))
    unet, arguments = _module(spec, "meta")
    counted: Counter[str] = Counter()

    def noted(sort: str, rule: Callable[..., None]) -> Callable[..., None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            rule(module, inputs, output)
            counted[sort] += int(module.total_ops.item())

        return hook

    rules = {
        nn.Conv2d: noted(_CONVOLUTIONS, hooks.count_convNd),
        nn.Linear: noted(_LINEAR, hooks.count_linear),
        nn.LayerNorm: hooks.zero_ops,
    }
    total, _ = thop.profile(unet, arguments, custom_ops=rules, verbose=False)
    theirs = {**counted, _OTHERS: int(total) - counted.total()}
    why = {
        _CONVOLUTIONS: _SAME,
        _LINEAR: _SAME,
        _PRODUCTS: "sees modules; the products of attention are functions",
        _OTHERS: "GroupNorm has no rule; LayerNorm's, on which thop 0.1.1 fails, was replaced by zero",
    }
    return _checks("thop", theirs, {**ours, _OTHERS: 0}, {_PRODUCTS: -ours[_PRODUCTS]}, why)


def _check_fvcore(spec: UNetSpec, formula: Formula) -> Iterator[Check]:
    ours = _by_formula(spec, formula)
    fvcore = require("fvcore.nn", _PURPOSE)
    unet, arguments = _module(spec, "cpu")
    with torch.no_grad(), unheard("fvcore"):
        analysis = fvcore.FlopCountAnalysis(unet, arguments)
        counted = analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    names = {"conv": _CONVOLUTIONS, "linear": _LINEAR, "matmul": _PRODUCTS}
    theirs = _by_sort({name: int(number) for name, number in counted.items()}, names)
    elements = _elements(spec)
    explained = {
        _PRODUCTS: -_softmax_products(spec, formula),
        "group_norm": _FVCORE_NORM * elements[nn.GroupNorm],
        "layer_norm": _FVCORE_NORM * elements[nn.LayerNorm],
        "upsample_nearest2d": _FVCORE_UPSAMPLE * elements[Upsample],
    }
    why = {
        _CONVOLUTIONS: _SAME,
        _LINEAR: _SAME,
        _PRODUCTS: "skips scaled_dot_product_attention: softmax attention is missing, relu attention is not",
        "group_norm": "takes 5 for an element; no MACs by our convention",
        "layer_norm": "takes 5 for an element; no MACs by our convention",
        "upsample_nearest2d": "takes 1 for an element; no MACs by our convention",
    }
    return _checks("fvcore", theirs, {**dict.fromkeys(why, 0), **ours}, explained, why)


_CHECKS: dict[Tool, Callable[[UNetSpec, Formula], Iterator[Check]]] = {
    "fvcore": _check_fvcore,
    "thop": _check_thop,
    "torch": _check_torch,
}


def _checks(
    tool: Tool,
    theirs: Mapping[str, int],
    ours: Mapping[str, int],
    explained: Mapping[str, int],
    why: Mapping[str, str],
) -> Iterator[Check]:
    """One row for each sort of operator that either side counts, also one that nobody foresaw."""
    for sort in {**ours, **theirs}:
        numbers = (theirs.get(sort, 0), ours.get(sort, 0), explained.get(sort, 0))
        yield Check(tool, sort, *numbers, why.get(sort, "not foreseen"))


def _by_sort(counted: Mapping[str, int], names: Mapping[str, str]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for name, number in counted.items():
        sums[names.get(name, name)] += number
    return dict(sums)


def _by_formula(spec: UNetSpec, formula: Formula) -> dict[str, int]:
    cost = formula(spec)
    convolutions = ("conv_in", "residual_conv", "shortcut", "resampling", "conv_out")
    sums = {_CONVOLUTIONS: sum(of_kind.macs for of_kind in cost.by_kind if of_kind.kind in convolutions)}
    sums[_LINEAR] = cost.macs_without_attention - sums[_CONVOLUTIONS]
    sums[_PRODUCTS] = cost.macs - cost.macs_without_attention
    return sums


def _softmax_products(spec: UNetSpec, formula: Formula) -> int:
    """MACs of the products of attention that the module normalises by softmax."""

    def keep_softmax(transformer: Transformer, _: int) -> Transformer:
        if transformer.attention_normalizer == "softmax":
            return transformer
        return replace(transformer, self_attention=False, cross_attention=False)

    return _by_formula(map_transformers(spec, keep_softmax), formula)[_PRODUCTS]


def _elements(spec: UNetSpec) -> Counter[type[nn.Module]]:
    """Elements that pass through GroupNorms, through LayerNorms, and that nearest-neighbour upsampling makes."""
    elements: Counter[type[nn.Module]] = Counter()

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        elements[type(module)] += inputs[0].numel() * (4 if isinstance(module, Upsample) else 1)

    unet, arguments = _module(spec, "meta")
    for module in unet.modules():
        if type(module) in (nn.GroupNorm, nn.LayerNorm, Upsample):
            module.register_forward_pre_hook(note)
    with torch.no_grad():
        unet(*arguments)
    return elements


def _module(spec: UNetSpec, device: str) -> tuple[UNet, tuple[Any, ...]]:
    """The module without initialised weights, and its arguments."""
    with torch.device("meta"):
        unet = build(spec).eval()
    if device != "meta":
        unet = unet.to_empty(device=device)
    with torch.device(device):
        sample = torch.zeros(1, spec.in_channels, spec.sample_size, spec.sample_size)
        context = torch.zeros(1, spec.context_length, spec.context_dim)
        arguments: tuple[Any, ...] = (sample, torch.zeros(1), context)
        if spec.added is not None:
            texts, ids = torch.zeros(1, spec.added.text_dim), torch.zeros(1, spec.added.time_ids)
            arguments = (*arguments, {"text_embeds": texts, "time_ids": ids})
        if spec.guidance_dim is not None:
            arguments = (*arguments, *[None] * (4 - len(arguments)), torch.zeros(1, spec.guidance_dim))
    return unet, arguments
