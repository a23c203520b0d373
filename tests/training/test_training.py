from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from archlab.architecture import UNetSpec, map_transformers
from archlab.architecture.parts import AppliedNormalizer, Normalizer
from archlab.checkpoint import Checkpoint, below, read_checkpoint, write_checkpoint
from archlab.diffusion.process import loss
from archlab.encoders.prepare import Prepared
from archlab.errors import BadInput, RunFailed
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import Trained, begin_training, examples, train
from archlab.training.average import average_weights
from archlab.training.lessons.denoising import Denoising
from archlab.training.settings import Distillation
from archlab.training.training import Diverged, Training, first_relu_step
from archlab.unet import UNet, transformer
from archlab.unet.untrained import untrained

Score = Callable[[nn.Module], float]


def weights(trained: Trained) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trained.unet.parameters()])


def no_score(_: nn.Module) -> float:
    return 0.0


def assert_same_state(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    """All but the seconds."""
    assert ours.pop("curve")[:, 0].equal(theirs.pop("curve")[:, 0])
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not ours[name].equal(theirs[name])] == []


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
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, val_loss: Score
) -> None:
    torch.manual_seed(1)
    first = train(small_unet, prepared, settings, seed=3, score=val_loss)
    torch.manual_seed(2)
    second = train(small_unet, prepared, settings, seed=3, score=val_loss)
    other = train(small_unet, prepared, settings, seed=4, score=val_loss)
    assert weights(first).equal(weights(second))
    assert [row.loss for row in first.curve] == [row.loss for row in second.curve]
    assert first.rungs == second.rungs
    assert not weights(first).equal(weights(other))
    assert first.rungs != other.rungs


def test_global_generator_is_left_as_it_was(small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings) -> None:
    before = torch.get_rng_state()
    train(small_unet, prepared, settings.model_copy(update={"rungs": (2,)}), seed=0, score=no_score)
    assert torch.get_rng_state().equal(before)


def test_a_rung_scores_as_a_training_that_ends_there(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, val_loss: Score
) -> None:
    both = train(small_unet, prepared, settings, seed=0, score=val_loss)
    short = train(small_unet, prepared, settings.model_copy(update={"rungs": (10,)}), seed=0, score=val_loss)
    assert list(both.rungs) == [10, 20]
    assert short.rungs[10] == both.rungs[10]


def test_average_of_the_weights_is_that_of_diffusers() -> None:
    generator = torch.Generator().manual_seed(0)
    unet, averaged = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs = EMAModel(unet.parameters(), decay=0.9)
    for updates in range(200):
        with torch.no_grad():
            unet.weight.copy_(torch.randn(3, 5, generator=generator))
        average_weights(averaged, unet, updates, decay=0.9)
        theirs.step(unet.parameters())
        torch.testing.assert_close(averaged.weight.data, theirs.shadow_params[0])


def test_absurd_learning_rate_ends_as_diverged(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    absurd = settings.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(Diverged, match=r"diverged at step \d+: the loss is (nan|inf)") as caught:
        train(small_unet, prepared, absurd, seed=0, score=no_score)
    assert isinstance(caught.value, RunFailed)
    assert 1 < caught.value.step <= 20


def test_score_that_is_no_number_ends_as_diverged(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    with pytest.raises(Diverged, match="step 10: the score is nan"):
        train(small_unet, prepared, settings, seed=0, score=lambda unet: float("nan"))


def test_relu_takes_over_for_the_last_share_of_the_steps(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    finetuned = map_transformers(small_unet, lambda t, _: replace(t, attention_normalizer="softmax->relu"))
    attend = transformer.attend
    calls = 0

    def counted(
        query: Tensor, key: Tensor, value: Tensor, heads: int, normalizer: AppliedNormalizer, training: bool
    ) -> Tensor:
        nonlocal calls
        calls += normalizer == "softmax"
        return attend(query, key, value, heads, normalizer, training)

    monkeypatch.setattr(transformer, "attend", counted)
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
    trained = train(finetuned, prepared, quick, seed=0, score=score, progress=note)
    assert by_step[:-1] == [4] * 7 + [0] * 2  # two transformers with two attentions; steps 8, 9 and 10 are relu
    assert {m.normalizer for m in trained.unet.modules() if hasattr(m, "normalizer")} == {"relu"}


@pytest.mark.parametrize(("steps", "share", "first"), [(10, 0.2, 9), (600, 0.2, 481), (10, 0.01, 10), (1, 0.5, 1)])
def test_first_relu_step(steps: int, share: float, first: int) -> None:
    assert first_relu_step(steps, share) == first


def test_ordinary_softmax_is_never_switched(trained: Trained) -> None:
    assert {m.normalizer for m in trained.unet.modules() if hasattr(m, "normalizer")} == {"softmax"}


def test_what_does_not_learn_is_neither_copied_nor_part_of_the_state(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    network = untrained(small_unet, 0)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    learns = {name for name in before if "attention" in name}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in learns)

    def begin(network: UNet) -> Training:
        lesson = Denoising(network, examples(prepared, settings))
        return Training(network, lesson, settings, steps=4, seed=0)

    halfway, other = begin(network), untrained(small_unet, 0)
    for name, parameter in other.named_parameters():
        parameter.requires_grad_(name in learns)
    halfway.run(2)
    state = {name: tensor.clone() for name, tensor in halfway.state().items()}
    assert below("unet", state).keys() == below("averaged", state).keys() == learns
    halfway.run(4)
    taken_up = begin(other)
    taken_up.load_state(state)
    taken_up.run(4)
    assert_same_state(taken_up.state(), halfway.state())
    moved = {name for name, weight in halfway.network.state_dict().items() if not weight.equal(before[name])}
    assert moved == learns
    ours, averaged = dict(network.named_parameters()), dict(halfway.network.named_parameters())
    assert {name for name in ours if ours[name] is averaged[name]} == before.keys() - learns


@pytest.mark.parametrize(
    ("normalizer", "change"),
    [
        ("softmax", {}),
        ("softmax->relu", {}),
        ("softmax", {"objective": "v", "min_snr": 5.0}),
        ("softmax", {"objective": "flow", "schedule": "shifted"}),
        ("softmax", {"distill": Distillation(output=1, features=0.1)}),
    ],
    ids=str,
)
def test_training_taken_up_after_any_step_is_the_same_bit_for_bit(
    normalizer: Normalizer,
    change: dict[str, Any],
    small_unet: UNetSpec,
    prepared: Prepared,
    settings: ProxySettings,
    tmp_path: Path,
) -> None:
    spec = map_transformers(small_unet, lambda t, _: replace(t, attention_normalizer=normalizer))
    quick = {"rungs": (8,), "batch_size": 8, "finetune_share": 0.4}  # relu from step 6

    def begin() -> Training:
        teacher = untrained(small_unet.with_channels((16, 24)), 0) if "distill" in change else None
        return begin_training(spec, prepared, settings.model_copy(update=quick | change), seed=3, teacher=teacher)

    through = begin()
    through.run(8)
    for step in range(9):
        first = begin()
        first.run(step)
        write_checkpoint(tmp_path / "state", "", Checkpoint(first.state(), {}))
        state = read_checkpoint(tmp_path / "state", "")
        assert state is not None
        second = begin()
        second.load_state(state.tensors)
        assert second.step == step
        assert second.seconds == first.seconds
        second.run(8)
        assert_same_state(second.state(), through.state())


@pytest.mark.parametrize("change", [{"objective": "v"}, {"objective": "flow"}, {"schedule": "linear"}], ids=str)
def test_every_objective_learns(
    change: dict[str, Any], small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    longer = settings.model_copy(update={"rungs": (60,), **change})
    curve = train(small_unet, prepared, longer, seed=0, score=no_score).curve
    assert sum(row.loss for row in curve[-10:]) < 0.7 * sum(row.loss for row in curve[:10])


def test_min_snr_weighs_each_image(small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings) -> None:
    weighed = settings.model_copy(update={"min_snr": 5.0, "rungs": (1,)})
    training = begin_training(small_unet, prepared, weighed, seed=0)
    batch = next(examples(prepared, weighed).first(1, seed=0))
    errors = loss(training.network, batch)
    training.run(1)
    assert batch.weight.min() < 0.5
    assert training.curve[0].loss == pytest.approx((errors * batch.weight).mean().item(), rel=1e-5)


def test_losses_that_are_read_late_are_the_same(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    soon = begin_training(small_unet, prepared, settings, seed=0)
    soon.run(6)
    late = begin_training(small_unet, prepared, settings, seed=0, runs_ahead=True)  # as on a GPU
    known: list[tuple[int, int]] = []
    late.run(4, lambda: known.append((late.step, len(late.curve))))
    assert known == [(1, 0), (2, 0), (3, 0), (4, 4)]
    late.run(6, lambda: late.step == 5 and late.state())
    assert_same_state(late.state(), soon.state())
    assert [row.loss for row in late.curve] == [row.loss for row in soon.curve]
    seconds = [row.seconds for row in late.curve]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_bf16_on_the_processor_is_refused(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match=r"precision: bf16 needs a CUDA device"):
        begin_training(small_unet, prepared, settings.model_copy(update={"precision": "bf16"}), seed=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_learns_as_the_processor_does_without_waiting_in_between(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    def curve(device: str, precision: str) -> list[float]:
        there = settings.model_copy(update={"device": device, "precision": precision})
        training = begin_training(small_unet, prepared, there, seed=0)
        training.run(1)
        torch.cuda.set_sync_debug_mode("error" if device == "cuda" else "default")
        training.run(20, lambda: training.step == 19 and torch.cuda.set_sync_debug_mode("default"))
        return [row.loss for row in training.curve]

    here = curve("cpu", "fp32")
    assert curve("cuda", "fp32") == pytest.approx(here, rel=0.01)
    assert curve("cuda", "bf16") == pytest.approx(here, rel=0.1)


@pytest.mark.parametrize("micro_batch", [16, 5, 1, 99])
def test_micro_batches_have_the_gradient_of_the_whole(
    micro_batch: int, small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    whole = begin_training(small_unet, prepared, settings, seed=0)
    parts = begin_training(small_unet, prepared, settings, seed=0, micro_batch=micro_batch)
    for training in (whole, parts):
        training.run(1)
    assert parts.curve[0].loss == pytest.approx(whole.curve[0].loss, rel=1e-6)
    theirs = below("optimizer", whole.state())
    for name, moment in below("optimizer", parts.state()).items():  # exp_avg is a tenth of the gradient
        torch.testing.assert_close(moment, theirs[name], rtol=1e-4, atol=1e-7)


def test_micro_batches_hold_fewer_images(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    forward = UNet.forward

    def noted(self: UNet, sample: Tensor, *arguments: Tensor) -> Tensor:
        seen.append(len(sample))
        return forward(self, sample, *arguments)

    monkeypatch.setattr(UNet, "forward", noted)
    begin_training(small_unet, prepared, settings, seed=0, micro_batch=13).run(2)
    assert seen == [13, 13, 6] * 2


def test_batches_are_those_that_training_sees(prepared: Prepared, settings: ProxySettings) -> None:
    found = list(examples(prepared, settings).first(20, seed=3))
    again = next(examples(prepared, settings).first(1, seed=3))
    assert len(found) == 20
    assert all(ours.equal(theirs) for ours, theirs in zip(again, found[0], strict=True))
    assert not found[0].target.equal(found[1].target)
