"""Gradient checkpointing changes what is in memory and nothing else."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from archlab.architecture import UNetSpec, map_transformers
from archlab.encoders.prepare import Prepared
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training, examples
from archlab.training.lessons.teacher import TeacherLesson
from archlab.training.settings import Distillation
from archlab.training.training import Training
from archlab.unet.untrained import untrained

WEIGHTS = Distillation(output=1, features=0.1)


def state_after(training: Training, steps: int) -> dict[str, Tensor]:
    training.run(steps)
    return training.state() | {"curve": training.state()["curve"][:, 0]}


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not ours[name].equal(theirs[name])] == []


@pytest.mark.parametrize("change", [{}, {"distill": WEIGHTS, "micro_batch": 5}], ids=["images", "a teacher, in parts"])
def test_training_is_the_same_bit_for_bit(
    change: dict[str, Any], small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    spec = map_transformers(small_unet, lambda t, _: replace(t, attention_normalizer="softmax->relu"))
    teacher = untrained(small_unet.with_channels((16, 24)), 0) if change else None
    states = []
    for checkpointing in (False, True):
        asked = settings.model_copy(update={"rungs": (4,), "checkpointing": checkpointing, **change})
        training = begin_training(spec, prepared, asked, seed=3, teacher=teacher, micro_batch=change.get("micro_batch"))
        states.append(state_after(training, 4))
    assert_equal(*states)


def test_bf16_is_recomputed_in_bf16(small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings) -> None:
    states = []
    for checkpointing in (False, True):
        student, teacher = untrained(small_unet, 3), untrained(small_unet, 4)
        student.checkpointing = checkpointing
        lesson = TeacherLesson(student, teacher, WEIGHTS, examples(prepared, settings), seed=0)
        bf16 = settings.model_copy(update={"precision": "bf16"})
        states.append(state_after(Training(student, lesson, bf16, steps=2, seed=3), 2))
    assert_equal(*states)


def test_blocks_are_computed_again_where_there_is_a_gradient_and_only_there(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    unet = untrained(small_unet, 3)
    unet.checkpointing = True
    calls: list[str] = []
    for name, block in unet.named_modules():
        if name.endswith(".residual"):
            block.register_forward_pre_hook(lambda *_, name=name: calls.append(name))
    batch = next(examples(prepared, settings).first(1, seed=0))

    def answer() -> Tensor:
        out: Tensor = unet(batch.noisy, batch.timesteps, batch.context)
        return out

    kept = saved_bytes(answer)
    assert len(calls) == 4
    torch.autograd.backward(answer().sum())
    assert len(calls) == 4 + 8
    with torch.no_grad():
        answer()
    assert len(calls) == 4 + 8 + 4
    unet.checkpointing = False
    assert kept < 0.3 * saved_bytes(answer)


def saved_bytes(compute: Any) -> int:
    """How much autograd keeps."""
    sizes: dict[int, int] = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: sizes.update({tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()}) or tensor,
        lambda tensor: tensor,
    ):
        result = compute()
    del result
    return sum(sizes.values())
