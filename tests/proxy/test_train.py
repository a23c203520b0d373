from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from archlab.architecture import UNetSpec, map_transformers
from archlab.architecture.spec import Normalizer
from archlab.errors import RunFailed
from archlab.proxy import CaptionedImages, Diverged
from archlab.proxy.checkpoint import Checkpoint, below, read_checkpoint, write_checkpoint
from archlab.proxy.score import ValidationLoss
from archlab.proxy.train import Trained, Training, averaged_model, batches, first_relu_step, train
from archlab.space.settings import ProxySettings
from archlab.unet import UNet


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


@pytest.mark.parametrize("normalizer", ["softmax", "softmax->relu"])
def test_training_taken_up_after_any_step_is_the_same_bit_for_bit(
    normalizer: Normalizer, small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings, tmp_path: Path
) -> None:
    spec = map_transformers(small_unet, lambda t, _: replace(t, attention_normalizer=normalizer))
    quick = settings.model_copy(update={"rungs": (8,), "batch_size": 8, "finetune_share": 0.4})  # relu from step 6
    through = Training(spec, digits, quick, seed=3)
    through.run(8)
    for step in range(9):
        first = Training(spec, digits, quick, seed=3)
        first.run(step)
        write_checkpoint(tmp_path / "state", "", Checkpoint(first.state(), {}))
        state = read_checkpoint(tmp_path / "state", "")
        assert state is not None
        second = Training(spec, digits, quick, seed=3)
        second.load_state(state.tensors)
        assert second.step == step
        assert second.seconds == first.seconds
        second.run(8)
        ours, theirs = second.state(), through.state()
        assert ours.pop("curve")[:, 0].equal(theirs.pop("curve")[:, 0])
        assert ours.keys() == theirs.keys()
        assert all(ours[name].equal(theirs[name]) for name in ours), step
        score = ValidationLoss(digits)
        assert score(second.network) == score(through.network)


@pytest.mark.parametrize("micro_batch", [16, 5, 1, 99])
def test_micro_batches_have_the_gradient_of_the_whole(
    micro_batch: int, small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings
) -> None:
    whole = Training(small_unet, digits, settings, seed=0)
    parts = Training(small_unet, digits, settings, seed=0, micro_batch=micro_batch)
    for training in (whole, parts):
        training.run(1)
    assert parts.curve[0].loss == pytest.approx(whole.curve[0].loss, rel=1e-6)
    theirs = below("optimizer", whole.state())
    for name, moment in below("optimizer", parts.state()).items():  # exp_avg is a tenth of the gradient
        torch.testing.assert_close(moment, theirs[name], rtol=1e-4, atol=1e-7)


def test_micro_batches_hold_fewer_images(
    small_unet: UNetSpec, digits: CaptionedImages, settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    forward = UNet.forward

    def noted(self: UNet, sample: Tensor, *arguments: Tensor) -> Tensor:
        seen.append(len(sample))
        return forward(self, sample, *arguments)

    monkeypatch.setattr(UNet, "forward", noted)
    Training(small_unet, digits, settings, seed=0, micro_batch=13).run(2)
    assert seen == [13, 13, 6] * 2


def test_batches_are_those_that_training_sees(digits: CaptionedImages, settings: ProxySettings) -> None:
    found = list(batches(digits, settings, seed=3))
    again = next(batches(digits, settings, seed=3))
    assert len(found) == settings.rungs[-1]
    assert all(ours.equal(theirs) for ours, theirs in zip(again, found[0], strict=True))
    assert not found[0].noise.equal(found[1].noise)
