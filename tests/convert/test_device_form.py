import copy
import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from archlab.convert import FlatInputs, device_form, example_inputs, split_einsum
from archlab.convert.arithmetic import mish, sinusoids
from archlab.convert.device_form import ATTENTION_FORMS, Layout
from archlab.errors import BadInput
from archlab.unet import UNet
from archlab.unet.unet import sinusoids as torch_sinusoids

LAYOUTS: tuple[Layout, ...] = ("channels_last", "channels_first")


def test_outputs_equal_torch_for_every_knob_layout_and_attention(
    knob: str, make_unet: Callable[[str], UNet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_einsum, "QUERY_CHUNK", 24)  # of 64, 16 and 4 queries: two chunks and a rest, and one
    unet = make_unet(knob)
    inputs = example_inputs(unet.spec)
    with torch.no_grad():
        expected = FlatInputs(unet).eval()(**inputs)
        for layout, attention in itertools.product(LAYOUTS, ATTENTION_FORMS):
            actual = FlatInputs(device_form(unet, layout, attention))(**inputs)
            torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTION_FORMS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_outputs_equal_torch_for_a_batch(layout: Layout, attention: str, make_unet: Callable[[str], UNet]) -> None:
    unet = make_unet("baseline").eval()
    inputs = (torch.randn(3, 4, 8, 8), torch.tensor([0.0, 500.0, 999.0]), torch.randn(3, 5, 32))
    with torch.no_grad():
        torch.testing.assert_close(device_form(unet, layout, attention)(*inputs), unet(*inputs), rtol=0, atol=1e-5)


def test_unknown_attention_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"attention: there is no 'split_einsun'; did you mean 'split_einsum'"):
        device_form(nn.Identity(), attention="split_einsun")


def test_keeps_the_weights_and_leaves_the_original_alone(make_unet: Callable[[str], UNet]) -> None:
    unet = make_unet("baseline").train()
    before = copy.deepcopy(unet.state_dict())
    form = device_form(unet, "channels_first", "split_einsum")
    torch.testing.assert_close(form.state_dict(), before, rtol=0, atol=0)
    for parameter in form.parameters():
        parameter.zero_()
    torch.testing.assert_close(unet.state_dict(), before, rtol=0, atol=0)
    assert unet.training
    assert not form.training
    assert not any(type(part).__module__.startswith("archlab.convert") for part in unet.modules())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 16, 3, 5), (2, 16, 7)])
@pytest.mark.parametrize("norm", [nn.GroupNorm(4, 16, affine=False), nn.GroupNorm(16, 16, eps=0.1)])
def test_group_norm_equals_torch_far_from_zero(norm: nn.GroupNorm, shape: tuple[int, ...], layout: Layout) -> None:
    x = torch.randn(shape) * 3 + 100
    torch.testing.assert_close(device_form(norm, layout)(x), norm(x), rtol=0, atol=1e-4)


def test_layer_norm_without_weights_equals_torch() -> None:
    norm = nn.LayerNorm(16, elementwise_affine=False)
    x = torch.randn(2, 7, 16)
    torch.testing.assert_close(device_form(norm)(x), norm(x), rtol=0, atol=1e-5)


def test_mish_equals_torch_where_exponentials_overflow() -> None:
    x = torch.linspace(-120, 120, 4801)
    torch.testing.assert_close(mish(x), F.mish(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dim", [8, 64, 320])
def test_sinusoids_equal_torch_for_every_time_step(dim: int) -> None:
    steps = torch.cat([torch.arange(1001), torch.tensor([1536, 4096, 8192])]).float()
    torch.testing.assert_close(sinusoids(steps, dim), torch_sinusoids(steps, dim), rtol=0, atol=2e-6)


def test_sinusoids_of_one_are_textbook_values() -> None:
    # dim 4: frequencies 1 and 10⁻⁴ ** 0.5 = 0.01
    expected = [math.cos(1), math.cos(0.01), math.sin(1), math.sin(0.01)]
    assert sinusoids(torch.tensor([1.0]), 4)[0].tolist() == pytest.approx(expected, abs=1e-6)
