import pytest
import torch
from torch import Tensor, nn

from archlab.encoders.prepare import Prepared
from archlab.proxy.parts import prepare_proxy
from archlab.proxy.settings import ProxySettings, Scale
from archlab.scores.validation import ValidationLoss

SETTINGS = ProxySettings(data="digits", scale=Scale(sample_size=8))


class Constant(nn.Module):
    """Answers ``early`` at times before 250 and ``late`` from then on."""

    def __init__(self, early: float, late: float) -> None:
        super().__init__()
        self.early, self.late = early, late

    def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        values = torch.where(timestep < 250, self.early, self.late)
        return values[:, None, None, None].expand_as(sample)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare_proxy(SETTINGS)


def test_loss_of_predicting_nothing_is_the_noises_variance(prepared: Prepared) -> None:
    # E[ε²] = 1, and E[(ε − 2)²] = 5; 720 draws of 64 pixels: standard errors √(2 / 46,080) and √(18 / 46,080)
    score = ValidationLoss(prepared, SETTINGS)
    for value, expected, deviation in ((0, 1, 2**0.5), (2, 5, 18**0.5)):
        found = score.scores(Constant(value, value))["val_loss"]
        assert found.value == pytest.approx(expected, abs=4 * deviation / 46_080**0.5)
        assert found.error == pytest.approx(deviation / 46_080**0.5, rel=0.3)
        assert score(Constant(value, value)) == found.value


def test_a_band_has_the_losses_of_its_times(prepared: Prepared) -> None:
    found = ValidationLoss(prepared, SETTINGS).scores(Constant(2, 0))
    bands = [found[f"val_loss_q{band}"].value for band in (1, 2, 3, 4)]
    assert bands == pytest.approx([5, 1, 1, 1], abs=0.2)
    assert found["val_loss"].value == pytest.approx(sum(bands) / 4)  # 180 draws each
    assert found["val_loss_q2"].label == "val_loss at times 250 to 499"


def test_it_is_paired_and_the_same_however_many_are_in_memory(prepared: Prepared) -> None:
    torch.manual_seed(5)
    first = ValidationLoss(prepared, SETTINGS)(Constant(1, 0))
    torch.manual_seed(6)
    assert ValidationLoss(prepared, SETTINGS, at_once=7)(Constant(1, 0)) == first


def test_losses_of_other_objectives_have_other_labels(prepared: Prepared) -> None:
    velocity = SETTINGS.model_copy(update={"objective": "v"})
    assert ValidationLoss(prepared, velocity).scores(Constant(0, 0))["val_loss"].label == "val_loss (v)"


def test_of_many_images_some_stand_for_all(prepared: Prepared) -> None:
    seen: list[Tensor] = []

    class Listening(Constant):
        def forward(self, sample: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
            seen.append(timestep)
            return super().forward(sample, timestep, context)

    ValidationLoss(prepared, SETTINGS, images=10)(Listening(0, 0))
    assert len(torch.cat(seen)) == 2 * 10
