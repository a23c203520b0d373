"""A graph computes what its module does, refers to it, and leaves it as it was."""

from collections import Counter
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.convert import FlatInputs, example_inputs
from archlab.convert.graph import (
    Constant,
    Graph,
    run_graph,
    split_chunked_linears,
    split_wide_convolutions,
    trace,
    without_sines,
)
from archlab.errors import RunFailed
from archlab.unet import UNet
from tests.convert.networks_of_others import diffusers_unet


class Does(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor, **kwargs: Tensor) -> object:
        return self.function(*args, **kwargs)


def operators(graph: Graph) -> Counter[str]:
    return Counter(value.operation.operator for value in graph.values() if value.operation is not None)


def test_every_knob_computes_what_the_network_does(knob: str, make_unet: Callable[[str], UNet]) -> None:
    unet = make_unet(knob).eval()
    network, inputs = FlatInputs(unet).eval(), example_inputs(unet.spec, seed=1)
    with torch.no_grad():
        expected = network(**inputs)
    graph = trace(network, inputs)
    for form in (graph, split_chunked_linears(graph), split_wide_convolutions(graph, 100), without_sines(graph)):
        torch.testing.assert_close(run_graph(form, inputs), (expected,), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("stride", "padding", "bias"), [(1, 1, True), (2, 0, False)])
def test_wide_convolution_is_a_sum_of_narrower_ones(stride: int, padding: int, bias: bool) -> None:
    conv = nn.Conv2d(20, 6, 3, stride=stride, padding=padding, bias=bias)
    inputs = {"input": torch.randn(1, 20, 8, 8)}
    graph = split_wide_convolutions(trace(conv, inputs), 70)  # 7 channels of 9 products each
    assert operators(graph) == Counter(slice=3, conv2d=3, add=2)
    torch.testing.assert_close(run_graph(graph, inputs)[0], conv(inputs["input"]), rtol=1e-5, atol=1e-5)
    grouped = nn.Conv2d(20, 20, 3, groups=20)
    assert operators(split_wide_convolutions(trace(grouped, inputs), 4)) == Counter(conv2d=1)


def test_attention_is_one_operator_also_in_networks_of_others() -> None:
    unet, inputs = diffusers_unet()
    graph = trace(unet, inputs)
    assert operators(graph)["attention"] == 2 * 4  # one stack below, two above, one in the middle; self and cross
    (output,) = run_graph(graph, inputs)
    with torch.no_grad():
        torch.testing.assert_close(output, unet(**inputs).sample, rtol=1e-5, atol=1e-5)


def test_the_module_is_left_as_it_was_and_its_weights_are_referred_to(make_unet: Callable[[str], UNet]) -> None:
    unet = make_unet("baseline").train()
    unet.conv_in.eval()
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    graph = trace(FlatInputs(unet), example_inputs(unet.spec))
    assert unet.training
    assert not unet.conv_in.training
    assert {type(part).__module__.partition(".")[0] for part in unet.modules()} <= {"archlab", "torch"}
    for name, tensor in unet.state_dict().items():
        assert torch.equal(tensor, before[name])
    owned = {parameter.untyped_storage().data_ptr() for parameter in unet.parameters()}
    weights = [value for value in graph.values() if isinstance(value, Constant) and value.tensor.numel() > 1000]
    assert len(weights) > 50
    assert {weight.tensor.untyped_storage().data_ptr() for weight in weights} <= owned


def test_gates_are_layers_of_their_own() -> None:
    linear = nn.Linear(6, 8)

    def gated(x: Tensor) -> Tensor:
        value, gate = linear(x).chunk(2, dim=-1)
        return value * F.gelu(gate)

    def used_whole(x: Tensor) -> Tensor:
        h = linear(x)
        return h[..., :4] + h.mean()

    inputs = {"x": torch.randn(1, 3, 6)}
    assert operators(split_chunked_linears(trace(Does(gated), inputs))) == Counter(linear=2, gelu=1, multiply=1)
    assert operators(split_chunked_linears(trace(Does(used_whole), inputs)))["slice"] == 1


def test_what_no_output_needs_is_no_obstacle() -> None:
    def wasteful(x: Tensor) -> Tensor:
        x.cumsum(0).argmax()
        return x + 1

    assert operators(trace(Does(wasteful), {"x": torch.ones(3)})) == Counter(add=1)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.cumsum(0), r"^torch's cumsum, in module stages\.1, has no form for a device$"),
        (lambda x: x if x.sum() > 0 else -x, r"^torch's bool, in module stages\.1, .*depends on numbers$"),
        (lambda x: x * float(x[0, 0]), r"in module stages\.1, .*depends on numbers$"),
        (lambda x: x.add_(1), r"^torch's add_, in module stages\.1, .*it writes into a tensor$"),
        (lambda x: F.linear(x, x), r"^torch's linear, in module stages\.1, has no form for a device$"),
        (lambda x: x.reshape(4, 2), r"^reshape, in module stages\.1, .*do not fit$"),
    ],
)
def test_what_has_no_form_is_named_with_its_module(function: Callable[[Tensor], Tensor], message: str) -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stages = nn.ModuleList([nn.ReLU(), Does(function)])

        def forward(self, x: Tensor) -> Tensor:
            for stage in self.stages:
                x = stage(x)
            return x

    with pytest.raises(RunFailed, match=message) as failure:
        trace(Outer(), {"x": torch.ones(3, 3)})
    assert "\n" not in str(failure.value)


CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "arithmetic": lambda x: (2 - x) / (3 / (x * x + 1)) - (-x).abs() ** 2 + torch.rsub(x, 1) + x.add(x, alpha=2),
    "powers": lambda x: (x * x + 1) ** 0.5 + (x * x + 1).pow(-0.5) + x.square().reciprocal(),
    "bounds": lambda x: x.clamp(-0.5, 0.5) + torch.maximum(x, -x) + x.clip(max=0.1),
    "activations": lambda x: F.silu(x) + F.gelu(x, approximate="tanh") + F.mish(x) + F.elu(x) + F.hardswish(x),
    "reductions": lambda x: x.mean((2, 3), keepdim=True) + x.sum(1).mean() + x.softmax(1) + F.softmax(x, dim=-1),
    "shapes": lambda x: x.flatten(1).unflatten(1, (3, -1)).unsqueeze(0).squeeze(0).reshape(2, 3, 4, 4).mT,
    "order": lambda x: x.permute(0, 2, 3, 1).movedim(-1, 1).transpose(2, 3).swapaxes(0, 1),
    "slices": lambda x: torch.cat([x[:, -1:], x[:, 1:]], 1)[..., :2, 1::2] * x[0, 0, 0, 0].expand(2, 3, 2, 2),
    "parts": lambda x: torch.stack([*x.split([1, 2], dim=1)[1].unbind(1), x.select(1, 0), x.narrow(1, 1, 1)[:, 0]], 1),
    "new axes": lambda x: x[:, None, 0] + x[:, :, :, 0][..., None, None].sum(1),
    "padding": lambda x: F.pad(x, (0, 1, 2, 0)),
    "doubling": lambda x: F.interpolate(x, scale_factor=2.0) + F.interpolate(x, size=(8, 8), mode="nearest"),
    "constants": lambda x: x + torch.arange(4.0).cos() + torch.zeros_like(x) + x.new_ones(1),
    "types": lambda x: x.to(torch.float64).float().type_as(x).contiguous().detach().clone(),
    "masked attention": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.3),
    "products": lambda x: (
        x @ x.transpose(-1, -2) + torch.baddbmm(x[:, 0], x[:, 1], x[:, 2], beta=0, alpha=0.5)[:, None]
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_torchs_calls_mean_what_torch_says(name: str) -> None:
    x = torch.randn(2, 3, 4, 4)
    graph = trace(Does(CALLS[name]), {"x": x})
    torch.testing.assert_close(run_graph(graph, {"x": x}), (CALLS[name](x),), rtol=1e-5, atol=1e-5)
