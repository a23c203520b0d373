import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archlab.architecture import Block, Stage, Transformer, UNetSpec
from archlab.evaluation.measures import ZERO_COST
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.scores.zero_cost import grad_norm, naswot, synflow, zero_cost
from archlab.unet import build

SETTINGS = ProxySettings(data="digits", scale=Scale(sample_size=8))


@pytest.fixture(scope="module")
def spec() -> UNetSpec:
    block = Block(transformers=(Transformer(heads=2, ff_ratio=4),))
    return UNetSpec(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        context_dim=64,
        context_length=8,
        norm_groups=4,
        stages=(
            Stage(channels=8, down=(Block(),), up=(Block(),), downsample="standard"),
            Stage(channels=16, down=(block,), up=(block,), upsample="standard"),
        ),
        middle=(block,),
    )


def widened(spec: UNetSpec, factor: int) -> UNetSpec:
    return replace(spec, stages=tuple(replace(stage, channels=factor * stage.channels) for stage in spec.stages))


def two_layers(first: list[list[float]], second: list[list[float]], between: nn.Module) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(2, 2, bias=False), between, nn.Linear(2, 1, bias=False))
    network.load_state_dict({"0.weight": torch.tensor(first), "2.weight": torch.tensor(second)})
    return network


def test_grad_norm_of_two_layers_by_hand() -> None:
    # y = [1 −1] [[1 2] [3 4]] x with x = (1, 1): y = 3 − 7; dy/dW₂ = W₁ x = (3, 7); dy/dW₁ = W₂ᵀ xᵀ = ±1 four times
    network = two_layers([[1, 2], [3, 4]], [[1, -1]], nn.Identity())
    norm = grad_norm(network, lambda: network(torch.ones(1, 2)).sum())
    assert norm == pytest.approx(math.sqrt(9 + 49) + 2)


def test_synflow_of_two_layers_by_hand() -> None:
    # R = [1 1] [[1 2] [3 4]] (1, 1)ᵀ = 10 with absolute weights, and either layer passes all of it on
    network = two_layers([[1, -2], [-3, 4]], [[1, -1]], nn.ReLU())
    assert synflow(network, torch.ones(1, 2)) == pytest.approx(20)
    assert network[0].weight[0, 1] == -2  # as it was


def test_synflow_passes_normalisations_as_it_does_weights() -> None:
    # Their input (3, 7) has the root mean square √29, so that R = 10 / √29
    network = two_layers([[1, -2], [-3, 4]], [[1, -1]], nn.LayerNorm(2, elementwise_affine=False))
    assert synflow(network, torch.ones(1, 2)) == pytest.approx(20 / math.sqrt(29))


@pytest.mark.parametrize(("inplace", "function"), [(False, nn.ReLU), (True, nn.ReLU), (True, nn.SiLU)])
def test_naswot_of_two_layers_by_hand(inplace: bool, function: type[nn.ReLU]) -> None:
    # signs + − and + + : K = [[2 1] [1 2]], det 3
    network = two_layers([[1, 0], [0, 1]], [[1, 1]], function(inplace=inplace))
    assert naswot(lambda: network(torch.tensor([[1.0, -1.0], [1.0, 1.0]]))) == pytest.approx(math.log(3))


def test_naswot_of_a_linear_network_tells_nothing_apart() -> None:
    network = two_layers([[1, 0], [0, 1]], [[1, 1]], nn.Identity())
    assert naswot(lambda: network(torch.tensor([[1.0, -1.0], [1.0, 1.0]]))) == -math.inf


@pytest.mark.parametrize("normalizer", ["softmax", "relu", "softmax->relu"])
def test_a_unet_has_all_three_and_always_the_same(normalizer: str, spec: UNetSpec) -> None:
    transformer = Transformer(heads=2, ff_ratio=4, attention_normalizer=normalizer)
    middle = replace(spec, middle=(Block(transformers=(transformer,)),))
    torch.manual_seed(5)
    first = zero_cost(middle, prepare_proxy(SETTINGS), SETTINGS)
    torch.manual_seed(6)
    assert zero_cost(middle, prepare_proxy(SETTINGS), SETTINGS) == first
    assert tuple(first) == ZERO_COST
    assert list(first) == ["grad_norm", "synflow", "naswot"]
    assert all(score is not None and score > 0 for score in first.values())


def test_synflow_and_naswot_grow_with_width(spec: UNetSpec) -> None:
    prepared = prepare_proxy(SETTINGS)
    scores = [zero_cost(widened(spec, factor), prepared, SETTINGS) for factor in (1, 2, 4)]
    for name in ("synflow", "naswot"):
        values = [score[name] for score in scores]
        assert values == sorted(values), name  # type: ignore[type-var]  # none is None


def test_no_flow_through_a_unet_is_negative(spec: UNetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    # A normalisation that took the mean away would turn some of it around
    gradients: list[Tensor] = []
    grad = torch.autograd.grad

    def listening(*arguments: Any, **options: Any) -> tuple[Tensor, ...]:
        gradients.extend(grad(*arguments, **options))
        return tuple(gradients)

    monkeypatch.setattr(torch.autograd, "grad", listening)
    plain = replace(
        spec, middle=(), stages=tuple(replace(stage, down=(Block(),), up=(Block(),)) for stage in spec.stages)
    )
    synflow(build(plain), torch.ones(1, 1, 8, 8), torch.zeros(1), torch.ones(1, 8, 64))
    assert len(gradients) > 20
    assert all((gradient >= 0).all() for gradient in gradients)
