import pytest
import torch
from torch import Tensor, nn

from archlab.errors import BadInput
from archlab.proxy import CaptionedImages, feature_network
from archlab.proxy.score import ValidationLoss, balanced_prompts, fid
from archlab.proxy.train import Trained


class Constant(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        return torch.full_like(sample, self.value)


def test_validation_loss_of_predicting_nothing_is_the_noises_variance(digits: CaptionedImages) -> None:
    # E[ε²] = 1, and E[(ε − 2)²] = 5; 720 images of 64 pixels: standard errors 0.007 and 0.02
    score = ValidationLoss(digits)
    assert score(Constant(0)) == pytest.approx(1, abs=0.02)
    assert score(Constant(2)) == pytest.approx(5, abs=0.08)


def test_validation_loss_is_paired(trained: Trained, digits: CaptionedImages) -> None:
    torch.manual_seed(5)
    first = ValidationLoss(digits)(trained.unet)
    torch.manual_seed(6)
    assert ValidationLoss(digits)(trained.unet) == first == trained.rungs[200]


def test_prompts_are_balanced() -> None:
    drawn = balanced_prompts(["a", "b", "c"], 8)
    assert sorted(drawn.count(prompt) for prompt in "abc") == [2, 3, 3]


def test_fid_orders_real_blurred_and_noise(digits: CaptionedImages) -> None:
    network = feature_network("digits")
    real = digits.images[digits.validation][:256]
    noisy = (real + torch.randn(real.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    scores = [fid(images, digits, network) for images in (real, noisy, -real)]
    assert [score.label for score in scores] == ["fid@256 (digits-cnn)"] * 3
    assert scores[0].value < 0.2 * scores[1].value
    assert scores[1].value < scores[2].value
    assert fid(digits.images, digits, network).value == pytest.approx(0, abs=1e-3)


def test_fid_of_one_image_is_refused(digits: CaptionedImages) -> None:
    with pytest.raises(BadInput, match="N = 1"):
        fid(digits.images[:1], digits, feature_network("digits"))
