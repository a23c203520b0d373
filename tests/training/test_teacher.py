"""What a student learns from its teacher, worked out by hand."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from archlab.architecture import Block, UNetSpec
from archlab.diffusion.process import NoisyBatch, error
from archlab.encoders.prepare import Prepared
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training, examples
from archlab.training.lessons.teacher import TeacherLesson
from archlab.training.settings import Distillation
from archlab.unet import UNet
from archlab.unet.untrained import untrained


@pytest.fixture
def batch(prepared: Prepared, settings: ProxySettings) -> NoisyBatch:
    return next(examples(prepared, settings).first(1, seed=0))


def answer(unet: UNet, batch: NoisyBatch) -> Tensor:
    out: Tensor = unet(batch.noisy, batch.timesteps, batch.context)
    return out


def outputs(unet: UNet, batch: NoisyBatch, names: list[str]) -> list[Tensor]:
    """What these modules give out."""
    seen: dict[str, Tensor] = {}
    hooks = [
        unet.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
        for name in names
    ]
    with torch.no_grad():
        answer(unet, batch)
    for hook in hooks:
        hook.remove()
    return [seen[name] for name in names]


def mean_squares(ours: Tensor, theirs: Tensor) -> Tensor:
    return (ours - theirs).square().mean((1, 2, 3))


def test_loss_is_that_of_bk_sdm(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, batch: NoisyBatch
) -> None:
    # L_OutKD + L_FeatKD of BK-SDM's train_text_to_image.py: mean squared errors of the answer and of every stage's end
    deeper = replace(small_unet, stages=tuple(replace(stage, down=stage.down * 2) for stage in small_unet.stages))
    student, teacher = untrained(small_unet, 1), untrained(deeper, 2)
    ours = outputs(student, batch, ["down.0.0", "down.1.0", "up.1.0", "up.0.0"])
    theirs = outputs(teacher, batch, ["down.0.1", "down.1.1", "up.1.0", "up.0.0"])
    features = torch.stack([mean_squares(*pair) for pair in zip(ours, theirs, strict=True)]).sum(0)
    with torch.no_grad():
        output = mean_squares(answer(student, batch), answer(teacher, batch))
        task = error(answer(student, batch), batch.target)
    for weights in (Distillation(output=2, features=0.5), Distillation(output=1), Distillation(output=0, features=1)):
        lesson = TeacherLesson(student, teacher, weights, examples(prepared, settings), seed=0)
        expected = task + weights.output * output + weights.features * features
        torch.testing.assert_close(lesson.losses(batch), expected)
        assert list(lesson.modules.parameters()) == []


def test_other_widths_are_made_alike_and_what_only_one_has_is_left_out(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    wider = replace(small_unet, middle=(Block(),)).with_channels((16, 48))
    weights, given = Distillation(features=1), examples(prepared, settings)
    modules = list(
        TeacherLesson(untrained(small_unet, 1), untrained(wider, 2), weights, given, seed=0).modules.children()
    )
    shapes = sorted(tuple(module.weight.shape) for module in modules if isinstance(module, nn.Conv2d))
    assert shapes == [(48, 32, 1, 1)] * 2  # stage 1, down and up
    assert len(modules) == 4


def test_student_and_convolutions_learn_and_the_teacher_does_not(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, batch: NoisyBatch
) -> None:
    teacher = untrained(small_unet.with_channels((16, 48)), 2)
    before = copy.deepcopy(teacher.state_dict())
    for weights, is_closer in ((None, False), (Distillation(output=100, features=1), True)):
        training = begin_training(
            small_unet, prepared, settings.model_copy(update={"distill": weights}), seed=0, teacher=teacher
        )
        convolutions = {name: tensor.clone() for name, tensor in training.state().items() if name.startswith("modules")}
        training.run(20)
        with torch.no_grad():
            apart = [mean_squares(answer(unet, batch), answer(teacher, batch)).mean() for unet in (training.network,)]
        assert (apart[0] < 0.2) == is_closer
        assert len(convolutions) == (4 if is_closer else 0)  # weight and bias of two
        assert not any(tensor.equal(training.state()[name]) for name, tensor in convolutions.items())
    assert all(tensor.equal(before[name]) for name, tensor in teacher.state_dict().items())
    assert all(weight.grad is None for weight in teacher.parameters())
