"""Every operator of a graph in TFLite, alone and after a permutation, against torch."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.convert import parity_of, run_tflite, to_tflite, torch_output
from archlab.convert.graph import OPERATORS
from archlab.convert.tflite.forms import FORMS

KERNELS = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1))

CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "unary": lambda x: x.neg().abs().add(0.1).log().exp().sqrt().rsqrt().square().floor().tanh(),
    "waves": lambda x: (x * 300).sin() + (x * 300).cos(),
    "activations": lambda x: F.silu(x) + F.gelu(x) + F.gelu(x, approximate="tanh") + F.mish(10 * x) + F.elu(x),
    "more activations": lambda x: F.hardswish(x) + F.relu(x) + torch.sigmoid(x),
    "binary": lambda x: (x + 1 - x * x) / (x.abs() + 2) + torch.maximum(x, -x).minimum(x * 2),
    "broadcasts": lambda x: x + x.mean((2, 3))[:, :, None, None] * torch.arange(5.0) + x.sum(1, keepdim=True)[:, 0:1],
    "softmax": lambda x: x.softmax(1) + x.softmax(3) + x.softmax(-2),
    "group norm": lambda x: (
        F.group_norm(x, 2, torch.arange(4.0), torch.ones(4)) + F.group_norm(x.flatten(2), 4).view(x.shape)
    ),
    "layer norm": lambda x: F.layer_norm(x, (5,), torch.arange(5.0)) + F.layer_norm(x.mT, (6,)).mT,
    "linear": lambda x: (
        F.linear(x, torch.eye(5) * 2) + F.linear(x.permute(0, 2, 3, 1), torch.eye(4)).permute(0, 3, 1, 2)
    ),
    "convolution": lambda x: F.conv2d(x, KERNELS, torch.arange(6.0), padding=1),
    "strided convolution": lambda x: F.conv2d(x, KERNELS, stride=2, padding=1),
    "dilated convolution": lambda x: F.conv2d(x, KERNELS, padding=2, dilation=2),
    "grouped convolution": lambda x: F.conv2d(x, KERNELS[:, :2], padding=(1, 0), groups=2),
    "depthwise convolution": lambda x: F.conv2d(x, KERNELS[:4, :1], padding=1, groups=4),
    "multiplied depthwise convolution": lambda x: F.conv2d(x[:, :3], KERNELS[:, :1], stride=2, padding=1, groups=3),
    "product": lambda x: x @ x.mT + x[:, :1] @ x[0, 1].mT,
    "product with a constant": lambda x: x @ KERNELS[:5, 0, 0].repeat(1, 2),
    "attention": lambda x: F.scaled_dot_product_attention(x, x * 2, x + 1),
    "attention of one head": lambda x: F.scaled_dot_product_attention(x[:, :1], x[:, 1:2], x[:, 2:3], is_causal=True),
    "attention to few": lambda x: F.scaled_dot_product_attention(x, x[:, :, :2], x[:, :, 1:3]),
    "reshape and permute": lambda x: x.permute(0, 2, 3, 1).reshape(2, 30, 4).transpose(1, 2).reshape(2, 2, 60),
    "reshape that moves": lambda x: x.permute(0, 3, 1, 2).reshape(2, 10, 12).flatten(1),
    "expand": lambda x: x.mean((2, 3), keepdim=True).expand(2, 4, 6, 5),
    "many concatenated": lambda x: torch.cat([x * n for n in range(1, 12)], 1),
    "slices": lambda x: x[:, 1:3, ::2, 1:] + x[:, :2, 1::2, :-1],
    "padding": lambda x: F.pad(x, (1, 2, 0, 1)),
    "upsampling": lambda x: F.interpolate(F.interpolate(x, scale_factor=2.0), scale_factor=3),
    "embedding and cast": lambda x: F.embedding((x[:, 0, 0].abs() * 3).to(torch.int32), KERNELS[:, 0, 0]) + 1,
}


class Does(nn.Module):
    """A function of a feature map [B, C, H, W], given as it is or with its channels last."""

    def __init__(self, function: Callable[[Tensor], Tensor], channels_last: bool) -> None:
        super().__init__()
        self.function, self.channels_last = function, channels_last

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x.permute(0, 3, 1, 2) if self.channels_last else x)


@pytest.mark.parametrize("channels_last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("name", CASES)
def test_equals_torch(name: str, channels_last: bool, tmp_path: Path) -> None:
    x = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    x = x.permute(0, 2, 3, 1).contiguous() if channels_last else x
    module = Does(CASES[name], channels_last)
    to_tflite(module, {"x": x}, tmp_path / "model.tflite")
    actual = run_tflite(tmp_path / "model.tflite", {"x": x})
    assert parity_of(torch_output(module, {"x": x}), actual).within(5e-6)


def test_every_operator_has_a_form() -> None:
    assert FORMS.keys() == OPERATORS.keys()
