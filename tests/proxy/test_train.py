from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from archlab.architecture import UNetSpec, map_transformers
from archlab.errors import RunFailed
from archlab.proxy import CaptionedImages, Diverged
from archlab.proxy.score import ValidationLoss
from archlab.proxy.train import Trained, averaged_model, first_relu_step, train
from archlab.space.settings import ProxySettings


def weights(trained: Trained) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trained.unet.parameters()])


def test_loss_falls(trained: Trained) -> None:
    # predicting no noise at all has loss 1
    first = sum(row.loss for row in trained.curve[:10]) / 10
    last = sum(row.loss for row in trained.curve[-10:]) / 10
    assert last < 0.5 * first
    assert trained.rungs[200] < trained.rungs[50] < 1


def test_curve_has_every_step_and_rising_seconds(trained: Trained) -> None:
    assert [row.step for row in trained.curve] == list(range(1, 201))
    seconds = [row.seconds for row in trained.curve]
    assert seconds == sorted(seconds)
    assert trained.seconds == seconds[-1] > 0


def test_same_seed_same_bits_whatever_the_global_generator(
    small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings
) -> None:
    score = ValidationLoss(digits)
    torch.manual_seed(1)
    first = train(small_unet, digits, settings, seed=3, score=score)
    torch.manual_seed(2)
    second = train(small_unet, digits, settings, seed=3, score=score)
    other = train(small_unet, digits, settings, seed=4, score=score)
    assert weights(first).equal(weights(second))
    assert [row.loss for row in first.curve] == [row.loss for row in second.curve]
    assert first.rungs == second.rungs
    assert not weights(first).equal(weights(other))
    assert first.rungs != other.rungs


def test_global_generator_is_left_as_it_was(
    small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings
) -> None:
    before = torch.get_rng_state()
    train(small_unet, digits, settings.model_copy(update={"rungs": (2,)}), seed=0, score=ValidationLoss(digits))
    assert torch.get_rng_state().equal(before)


def test_a_rung_scores_as_a_training_that_ends_there(
    small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings
) -> None:
    score = ValidationLoss(digits)
    both = train(small_unet, digits, settings, seed=0, score=score)
    short = train(small_unet, digits, settings.model_copy(update={"rungs": (10,)}), seed=0, score=score)
    assert list(both.rungs) == [10, 20]
    assert short.rungs[10] == both.rungs[10]


def test_average_of_the_weights_is_that_of_diffusers() -> None:
    generator = torch.Generator().manual_seed(0)
    unet = nn.Linear(5, 3)
    ours = averaged_model(unet, decay=0.9)
    theirs = EMAModel(unet.parameters(), decay=0.9)
    for _ in range(200):
        with torch.no_grad():
            unet.weight.copy_(torch.randn(3, 5, generator=generator))
        ours.update_parameters(unet)
        theirs.step(unet.parameters())
    torch.testing.assert_close(ours.module.weight.data, theirs.shadow_params[0])


def test_absurd_learning_rate_ends_as_diverged(
    small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings
) -> None:
    absurd = settings.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(Diverged, match=r"diverged at step \d+: the loss is (nan|inf)") as caught:
        train(small_unet, digits, absurd, seed=0, score=ValidationLoss(digits))
    assert isinstance(caught.value, RunFailed)
    assert 1 < caught.value.step <= 20


def test_score_that_is_no_number_ends_as_diverged(
    small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings
) -> None:
    with pytest.raises(Diverged, match="step 10: the validation loss is nan"):
        train(small_unet, digits, settings, seed=0, score=lambda unet: float("nan"))


def test_relu_takes_over_for_the_last_share_of_the_steps(
    small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    finetuned = map_transformers(small_unet, lambda t, _: replace(t, attention_normalizer="softmax->relu"))
    attention = F.scaled_dot_product_attention  # called for softmax only
    calls = 0

    def counted(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return attention(query, key, value)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    by_step: list[int] = []

    def note(share: float) -> None:
        nonlocal calls
        by_step.append(calls)
        calls = 0

    def score(unet: nn.Module) -> float:
        nonlocal calls
        calls = 0
        return 1.0

    quick = settings.model_copy(update={"rungs": (10,), "finetune_share": 0.3})
    trained = train(finetuned, digits, quick, seed=0, score=score, progress=note)
    assert by_step[:-1] == [4] * 7 + [0] * 2  # two transformers with two attentions; steps 8, 9 and 10 are relu
    assert {m.normalizer for m in trained.unet.modules() if hasattr(m, "normalizer")} == {"relu"}


@pytest.mark.parametrize(("steps", "share", "first"), [(10, 0.2, 9), (600, 0.2, 481), (10, 0.01, 10), (1, 0.5, 1)])
def test_first_relu_step(steps: int, share: float, first: int) -> None:
    assert first_relu_step(steps, share) == first


def test_ordinary_softmax_is_never_switched(trained: Trained) -> None:
    assert {m.normalizer for m in trained.unet.modules() if hasattr(m, "normalizer")} == {"softmax"}
