"""A lesson with a second network of its own goes through the same loop, and can be interrupted at any step."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.architecture import UNetSpec
from archlab.checkpoint import Checkpoint, below, prefixed, read_checkpoint, write_checkpoint
from archlab.diffusion.process import NoisyBatch
from archlab.encoders.prepare import Prepared
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import examples
from archlab.training.lessons import LESSONS
from archlab.training.lessons.lesson import Lesson, Materials
from archlab.training.optimizer import FlatAdamW
from archlab.training.training import Training
from archlab.unet import UNet
from archlab.unet.untrained import untrained

STEPS = 6


class Adversarial(Lesson[NoisyBatch]):
    """The network's answers should look like targets to a discriminator, which learns on every second step."""

    def __init__(self, materials: Materials) -> None:
        self.network, self.examples = materials.network, materials.examples
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(materials.seed)
            self.discriminator = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 1))
        self.optimizer = FlatAdamW(self.discriminator.parameters(), 1e-3)
        self.steps = torch.zeros((), dtype=torch.int64)

    def batches(self, generator: torch.Generator) -> Iterator[NoisyBatch]:
        return self.examples.batches(generator)

    def losses(self, batch: NoisyBatch) -> Tensor:
        answer = self.network(batch.noisy, batch.timesteps, batch.context)
        with frozen(self.discriminator):
            fooled = F.softplus(-self.discriminator(answer)).squeeze(1)
        return (answer - batch.target).square().flatten(1).mean(1) + 0.1 * fooled

    def after_step(self, parts: Sequence[NoisyBatch]) -> None:
        self.steps += 1
        if self.steps % 2:
            return
        for part in parts:
            with torch.no_grad():
                answer = self.network(part.noisy, part.timesteps, part.context)
            fake, real = self.discriminator(answer), self.discriminator(part.target)
            torch.autograd.backward((F.softplus(fake) + F.softplus(-real)).mean())
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        return {
            **prefixed("discriminator", self.discriminator.state_dict()),
            **prefixed("optimizer", self.optimizer.state()),
            "steps": self.steps,
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.discriminator.load_state_dict(below("discriminator", state))
        self.optimizer.load_state(below("optimizer", state))
        self.steps = state["steps"].clone()


class frozen:  # noqa: N801  # a context manager
    """Gradients flow through the network and not into it."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __enter__(self) -> None:
        self.network.requires_grad_(False)

    def __exit__(self, *_: object) -> None:
        self.network.requires_grad_(True)


@pytest.fixture
def adversarial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LESSONS.entries, "adversarial", Adversarial)


def begin(
    name: str, spec: UNetSpec, prepared: Prepared, settings: ProxySettings, micro_batch: int | None = None
) -> tuple[Training, Lesson[NoisyBatch], UNet]:
    network = untrained(spec, 3)
    lesson = LESSONS[name](Materials(network=network, examples=examples(prepared, settings), settings=settings, seed=3))
    training = Training(network, lesson, settings, steps=STEPS, seed=3, micro_batch=micro_batch)
    return training, lesson, network


@pytest.mark.usefixtures("adversarial")
@pytest.mark.parametrize("micro_batch", [None, 13])
def test_a_second_network_learns_and_is_taken_up_after_any_step_bit_for_bit(
    micro_batch: int | None, small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings, tmp_path: Path
) -> None:
    given = small_unet, prepared, settings, micro_batch
    through, lesson, _ = begin("adversarial", *given)
    before = {name: tensor.clone() for name, tensor in lesson.state().items()}
    through.run(STEPS)
    expected = through.state()
    changed = [name for name, tensor in before.items() if not tensor.equal(expected[f"lesson.{name}"])]
    assert len([name for name in changed if name.startswith("discriminator")]) == 4
    assert below("lesson.optimizer", expected)["step"].item() == STEPS // 2
    for step in range(STEPS + 1):
        first, _, _ = begin("adversarial", *given)
        first.run(step)
        write_checkpoint(tmp_path / "state", "", Checkpoint(first.state(), {}))
        state = read_checkpoint(tmp_path / "state", "")
        assert state is not None
        second, _, _ = begin("adversarial", *given)
        second.load_state(state.tensors)
        second.run(STEPS)
        found = second.state()
        assert found.keys() == expected.keys()
        different = [name for name in found if name != "curve" and not found[name].equal(expected[name])]
        assert different == []
        assert found["curve"][:, 0].equal(expected["curve"][:, 0])


def test_parameters_that_need_no_gradient_stay(
    small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    network = untrained(small_unet, 3)
    network.requires_grad_(False)
    network.conv_out.requires_grad_(True)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    lesson = LESSONS["denoising"](
        Materials(network=network, examples=examples(prepared, settings), settings=settings, seed=3)
    )
    Training(network, lesson, settings, steps=2, seed=3).run(2)
    changed = {name for name, weight in network.state_dict().items() if not weight.equal(before[name])}
    assert changed == {"conv_out.weight", "conv_out.bias"}


def test_the_teacher_lesson_needs_a_teacher(small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings) -> None:
    with pytest.raises(ValueError, match="needs a teacher"):
        begin("teacher", small_unet, prepared, settings)
