"""Guidance, UFOGen and DMD2: what each loss is, whom its gradient reaches, and that a training can be taken up."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.checkpoint import Checkpoint, below, read_checkpoint, write_checkpoint
from archlab.diffusion.configured import configured_process
from archlab.diffusion.denoiser import Denoiser, add_noise
from archlab.diffusion.guidance import guided
from archlab.diffusion.process import Process
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.section import Section
from archlab.training.discriminator import Discriminator, without_way_up
from archlab.training.examples import Examples, LatentBatch
from archlab.training.lessons import LESSONS
from archlab.training.lessons.dmd2 import Dmd2Lesson, matching_losses
from archlab.training.lessons.guidance import LEAST_SIGNAL, GuidanceLesson
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.lessons.ufogen import UfogenLesson
from archlab.training.settings import (
    AdversarialDistillation,
    Distillation,
    DistributionMatching,
    GuidanceDistillation,
    ProgressiveDistillation,
    TrainingSettings,
)
from archlab.training.training import Training
from archlab.unet import UNet
from archlab.unet.untrained import untrained

STEPS, COUNT = 3, 8
LESSON_SETTINGS: dict[str, Section] = {
    "guidance": GuidanceDistillation(guidance=3.0),
    "guidance as an input": GuidanceDistillation(guidance=1.0, most_guidance=4.0),
    "progressive": ProgressiveDistillation(steps=4),
    "ufogen": AdversarialDistillation(discriminator_learning_rate=1e-2, discriminator_every=1),
    "dmd2": DistributionMatching(steps=2, fake_updates=2, fake_learning_rate=1e-4),
    "dmd2 and imitation": DistributionMatching(
        steps=1, fake_updates=1, fake_learning_rate=1e-4, imitation=Distillation(features=0.5)
    ),
}


def process_of(objective: str) -> Process:
    return configured_process(DiffusionSettings(objective=objective), 8)


@pytest.fixture
def examples(prepared: Prepared) -> Examples:
    return Examples(prepared, process_of("v"), COUNT, 0.0)


def materials(spec: UNetSpec, examples: Examples, name: str) -> Materials:
    if name == "guidance as an input":
        spec = replace(spec, guidance_dim=8)
    return Materials(
        network=untrained(spec, 1),
        examples=examples,
        settings=LESSON_SETTINGS[name],
        seed=3,
        teacher=untrained(replace(spec, guidance_dim=None).with_channels((16, 24)), 2),
        few_step_teacher=untrained(spec.with_channels((16, 24)), 4),
    )


def begin(given: Materials, name: str) -> tuple[Training, Lesson[Any]]:
    lesson = LESSONS[name.split()[0]](given)
    settings = TrainingSettings(batch_size=COUNT, learning_rate=1e-3)
    return Training(given.network, lesson, settings, steps=STEPS, seed=3, micro_batch=5), lesson


@pytest.mark.parametrize("name", LESSON_SETTINGS)
def test_every_lesson_learns_and_is_taken_up_after_any_step_bit_for_bit(
    name: str, small_unet: UNetSpec, examples: Examples, tmp_path: Path
) -> None:
    through, lesson = begin(materials(small_unet, examples, name), name)
    before = {key: tensor.clone() for key, tensor in through.state().items()}
    through.run(STEPS)
    expected = through.state()
    for part in ["unet", *(["lesson.network"] if lesson.state() else [])]:
        learnt = below(part, expected)
        moved = [key for key, tensor in learnt.items() if not tensor.equal(before[f"{part}.{key}"])]
        assert len(moved) > 0.9 * len(learnt)
    for step in (1, 2):
        first, _ = begin(materials(small_unet, examples, name), name)
        first.run(step)
        write_checkpoint(tmp_path / "state", "", Checkpoint(first.state(), {}))
        state = read_checkpoint(tmp_path / "state", "")
        assert state is not None
        second, _ = begin(materials(small_unet, examples, name), name)
        second.load_state(state.tensors)
        second.run(STEPS)
        found = second.state()
        assert found.keys() == expected.keys()
        assert [key for key in found if key != "curve" and not found[key].equal(expected[key])] == []
        assert found["curve"][:, 0].equal(expected["curve"][:, 0])


class Guided(nn.Module):
    """A teacher in two passes, as one network; its scale is an input where ``scales`` reads one."""

    def __init__(self, teacher: UNet, null: Tensor, scale: float) -> None:
        super().__init__()
        self.teacher, self.null, self.scale = teacher, null, scale

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        answers = [
            guided(self.teacher, context[i : i + 1], self.null, self.scale)(noisy[i : i + 1], timesteps[i])
            for i in range(len(noisy))
        ]
        return torch.cat(answers)


def batch_of(lesson: Lesson[Any], seed: int = 0) -> LatentBatch:
    batch: LatentBatch = next(iter(lesson.batches(torch.Generator().manual_seed(seed))))
    return batch


def test_guidance_folded_in_is_guidance_applied(small_unet: UNetSpec, examples: Examples) -> None:
    null, teacher = examples.prepared.null_context, untrained(small_unet, 2).eval()
    of_teacher = Denoiser(teacher, examples.process, null)
    for scale, is_right in ((3.0, True), (1.0, False)):
        student = Denoiser(Guided(teacher, null, scale), examples.process)
        lesson = GuidanceLesson(student, of_teacher, GuidanceDistillation(guidance=3.0), examples)
        with torch.no_grad():
            assert (lesson.losses(batch_of(lesson)).max() < 1e-8) == is_right


def test_a_student_of_v_learns_from_a_teacher_of_the_noise(small_unet: UNetSpec, examples: Examples) -> None:
    teacher, null = untrained(small_unet, 2).eval(), examples.prepared.null_context
    of_noise, of_v = process_of("epsilon"), examples.process
    asked: list[tuple[Tensor, Tensor]] = []

    def student(noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        alpha, sigma = (moment[:, None, None, None] for moment in of_v.path.moments((timesteps + 1) / 1000))
        noise = teacher(noisy, timesteps, context)
        asked.append((alpha.flatten(), (noise - sigma * noisy) / alpha))  # v of predicted noise: (ε̂ − σ z) / α
        return asked[-1][1]

    lesson = GuidanceLesson(
        Denoiser(Wrapped(student), of_v),
        Denoiser(teacher, of_noise, null),
        GuidanceDistillation(guidance=1.0),
        examples,
    )
    with torch.no_grad():
        losses = lesson.losses(batch_of(lesson))
    alphas = asked[-1][0]
    assert losses[alphas >= LEAST_SIGNAL].max() < 1e-6
    assert losses[alphas < LEAST_SIGNAL].min() > 1  # there the data teach
    assert (alphas < LEAST_SIGNAL).any()


class Wrapped(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.ones(()))

    def forward(self, *given: Tensor) -> Tensor:
        return self.function(*given)


def test_matching_has_no_gradient_where_what_is_drawn_looks_real() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn, real, fake = torch.randn(3, 5, 2, 4, 4, generator=generator)
    drawn.requires_grad_(True)
    matching_losses(drawn, real, real.clone()).sum().backward()  # type: ignore[no-untyped-call]
    assert drawn.grad is not None
    assert drawn.grad.abs().max() == 0
    drawn.grad = None
    losses = matching_losses(drawn, real, fake)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    # compute_distribution_matching_loss of DMD2's main/sd_guidance.py: (p_real − p_fake) / mean|p_real|, in a mean
    apart = (drawn.detach() - real).abs().mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(drawn.grad, ((drawn - real) - (drawn - fake)).detach() / apart / 32)
    assert losses.shape == (5,)


def test_dmd2_has_no_gradient_while_its_second_network_is_its_teacher(small_unet: UNetSpec, examples: Examples) -> None:
    student, teacher = untrained(small_unet, 1), untrained(small_unet, 2)
    unguided = Denoiser(Unguided(teacher), examples.process, examples.prepared.null_context)
    lesson = Dmd2Lesson(
        Denoiser(student, examples.process),
        unguided,
        Denoiser(copy.deepcopy(teacher), examples.process),
        Discriminator(untrained(small_unet, 3), 0),
        DistributionMatching(steps=2, fake_learning_rate=1e-4, adversarial=0),
        examples,
    )
    torch.autograd.backward(lesson.losses(batch_of(lesson)).sum())
    assert max(weight.grad.abs().max() for weight in student.parameters() if weight.grad is not None) == 0


class Unguided(nn.Module):
    """The same answer with every guidance."""

    def __init__(self, teacher: UNet) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        half = len(context) // 2
        answer: Tensor = self.teacher(noisy[:half], timesteps[:half], context[:half])
        return answer.repeat(2, 1, 1, 1)


@pytest.mark.parametrize("name", ["ufogen", "dmd2"])
def test_what_the_discriminator_thinks_reaches_the_generator_and_never_the_other_way(
    name: str, small_unet: UNetSpec, examples: Examples
) -> None:
    given = materials(small_unet, examples, name)
    training, lesson = begin(given, name)
    training.run(2)  # the head begins with 0 for all, and without a gradient
    generator = given.network
    weights = copy.deepcopy(generator.state_dict())
    second = {key: tensor.clone() for key, tensor in lesson.state().items()}
    with_it = gradients(lesson, generator)
    assert all(tensor.equal(second[key]) for key, tensor in lesson.state().items())
    lesson.load_state({key: tensor * 0 if "head.out" in key else tensor for key, tensor in second.items()})
    assert (with_it - gradients(lesson, generator)).abs().max() > 0  # of a discriminator that thinks the same of all
    lesson.load_state(second)
    generator.zero_grad()
    lesson.after_step([batch_of(lesson)])
    lesson.after_step([batch_of(lesson)])
    assert all(tensor.equal(weights[key]) for key, tensor in generator.state_dict().items())
    assert all(weight.grad is None or weight.grad.abs().max() == 0 for weight in generator.parameters())
    assert not all(tensor.equal(second[key]) for key, tensor in lesson.state().items())


def gradients(lesson: Any, generator: UNet) -> Tensor:
    generator.zero_grad()
    torch.autograd.backward(lesson.losses(batch_of(lesson)).sum())
    return torch.cat([weight.grad.flatten().clone() for weight in generator.parameters() if weight.grad is not None])


def ufogen(student: nn.Module, discriminator: nn.Module, examples: Examples, **settings: float) -> UfogenLesson:
    return UfogenLesson(
        Denoiser(student, examples.process),
        discriminator,
        AdversarialDistillation.model_validate({"discriminator_learning_rate": 1e-4, **settings}),
        examples,
    )


def test_ufogen_discriminates_latents_with_less_noise_and_pulls_to_the_image_where_it_can_be_known(
    small_unet: UNetSpec, examples: Examples
) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def logits(noisy: Tensor, timesteps: Tensor, _: Tensor) -> Tensor:
        seen.append((noisy, timesteps))
        return noisy.mean((1, 2, 3))

    student = untrained(small_unet, 1)
    lesson = ufogen(student, Wrapped(logits), examples, gap=0.25, reconstruction=2.0, most_snr=5.0)
    batch = batch_of(lesson)
    with torch.no_grad():
        losses = lesson.losses(batch)
        places, noises = batch.places[:, 0], batch.noises
        alpha, sigma = examples.process.path.moments(places)
        noisy = add_noise(examples.process.path, batch.latents, noises[:, 0], places)
        clean = Denoiser(student, examples.process).clean(noisy, places, batch.context)
    less = (places - 0.25).clamp(min=0)
    torch.testing.assert_close(seen[0][1], 1000 * less - 1)
    torch.testing.assert_close(seen[0][0], add_noise(examples.process.path, clean, noises[:, 1], less))
    snr = (alpha / sigma).square().clamp(max=5)
    pulled = 2 * snr * (clean - batch.latents).square().mean((1, 2, 3))
    wanted = F.binary_cross_entropy_with_logits(
        seen[0][0].mean((1, 2, 3)).clamp(max=0.5), torch.ones(COUNT), reduction="none"
    )
    torch.testing.assert_close(losses, pulled + wanted)


def test_ufogen_warns_of_a_discriminator_that_is_certain(small_unet: UNetSpec, examples: Examples) -> None:
    class Certain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))
            self.calls = 0

        def forward(self, noisy: Tensor, *_: Tensor) -> Tensor:
            self.calls += 1  # first what is drawn, then what is real
            return self.weight * (-3.0 if self.calls % 2 else 3.0) * torch.ones(len(noisy))

    lesson = ufogen(untrained(small_unet, 1), Certain(), examples, discriminator_every=1)
    assert lesson.remarks() == []
    lesson.after_step([batch_of(lesson)])
    (remark,) = lesson.remarks()
    assert "100% of the drawn and 100% of the real latents" in remark


def test_a_discriminator_begins_undecided_and_sees_no_way_up(small_unet: UNetSpec) -> None:
    whole, part = untrained(small_unet, 1), without_way_up(untrained(small_unet, 1))
    noisy, times = torch.randn(3, 1, 8, 8), torch.tensor([0.0, 500.0, 999.0])
    context = torch.randn(3, small_unet.context_length, small_unet.context_dim)
    assert Discriminator(part, 0)(noisy, times, context).equal(torch.zeros(3))
    assert part.bottleneck(noisy, times, context).equal(whole.bottleneck(noisy, times, context))
    assert {name.split(".")[0] for name, _ in part.named_parameters()} == {
        "time_embedding",
        "conv_in",
        "down",
        "downsample",
    }


def test_lessons_say_what_they_lack(small_unet: UNetSpec, examples: Examples) -> None:
    given = {"network": untrained(small_unet, 1), "examples": examples, "seed": 0}
    with pytest.raises(ValueError, match="needs a teacher"):
        LESSONS["progressive"](Materials(settings=ProgressiveDistillation(steps=1), **given))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs ProgressiveDistillation, not GuidanceDistillation"):
        LESSONS["progressive"](Materials(settings=GuidanceDistillation(), **given))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="different paths"):
        LESSONS["guidance"](
            Materials(
                settings=GuidanceDistillation(),
                teacher=untrained(small_unet, 2),
                teacher_process=process_of("flow"),
                **given,  # type: ignore[arg-type]
            )
        )
