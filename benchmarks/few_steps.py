"""Few-step students of a teacher that is known in closed form: eight Gaussians on a ring, whose score is exact.

A network of three layers learns to draw in one step, by progressive distillation from 32 steps and by DMD2 without a
discriminator. Prints one JSON line: ``ours`` is how far, on average, the student's one step ends from where the exact
flow takes the same noise, ``theirs`` how far eight steps of DDIM end with the exact score.
"""

import argparse
import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archlab.diffusion.configured import configured_process
from archlab.diffusion.denoiser import Denoiser, ddim_step
from archlab.diffusion.process import Process, spread_places
from archlab.diffusion.settings import DiffusionSettings
from archlab.training.examples import Examples, LatentBatch
from archlab.training.lessons.dmd2 import Dmd2Lesson
from archlab.training.lessons.guidance import GuidanceLesson
from archlab.training.lessons.lesson import Lesson
from archlab.training.lessons.progressive import ProgressiveLesson
from archlab.training.processes import ALONE, Processes
from archlab.training.settings import (
    DistributionMatching,
    GuidanceDistillation,
    ProgressiveDistillation,
    TrainingSettings,
)
from archlab.training.training import Training

MODES, RADIUS, SPREAD = 8, 1.0, 0.1
BATCH, WIDTH, WAVES = 256, 128, 8
HALVINGS = (32, 16, 8, 4, 2, 1)
DRAWN, EXACT_STEPS = 2000, 512
PROCESS: Process = configured_process(DiffusionSettings(objective="v"), 8)


class Ring:
    """Points on the ring instead of latents, [B, 2, 1, 1], without captions."""

    processes: Processes = ALONE

    def latent_batches(self, generator: torch.Generator, *, noises: int, places: int) -> Iterator[LatentBatch]:
        """As `archlab.training.examples.Examples` has them."""
        while True:
            points, noise = self.points(BATCH, generator), torch.randn((BATCH, noises, 2, 1, 1), generator=generator)
            columns = torch.stack([spread_places(BATCH, generator) for _ in range(places)], dim=1)
            yield LatentBatch(points, no_context(BATCH), noise, columns)

    def points(self, count: int, generator: torch.Generator) -> Tensor:
        """[count, 2, 1, 1]"""
        modes = torch.randint(MODES, (count,), generator=generator)
        points = centres()[modes] + SPREAD * torch.randn((count, 2), generator=generator)
        return points[..., None, None]


class Exact(nn.Module):
    """v of the ring: E[x | z] is a softmax over the modes."""

    def forward(self, noisy: Tensor, timesteps: Tensor, _context: Tensor) -> Tensor:
        alpha, sigma = (of[:, None] for of in PROCESS.path.moments((timesteps + 1) / 1000))
        z = noisy.flatten(1)
        variance = alpha**2 * SPREAD**2 + sigma**2
        apart = z[:, None] - alpha[:, None] * centres()
        weights = torch.softmax(-apart.square().sum(2) / (2 * variance), dim=1)
        clean = (weights[..., None] * (centres() + (alpha * SPREAD**2 / variance)[..., None] * apart)).sum(1)
        return ((alpha * z - clean) / sigma)[..., None, None]


class Network(nn.Module):
    """Three hidden layers."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            widths = (2 + WAVES, WIDTH, WIDTH, WIDTH, 2)
            self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, noisy: Tensor, timesteps: Tensor, _context: Tensor) -> Tensor:
        angles = (timesteps[:, None] + 1) / 1000 * math.pi * 2.0 ** torch.arange(-1, WAVES // 2 - 1)
        x = torch.cat([noisy.flatten(1), angles.sin(), angles.cos()], dim=1)
        for layer in self.layers[:-1]:
            x = F.silu(layer(x))
        out: Tensor = self.layers[-1](x)
        return out[..., None, None]


class Undecided(nn.Module):
    """A second network whose discriminator is not asked."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


def main() -> None:
    """Distil, draw, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=700, help="of the optimiser, a halving; twice that for the last")
    parser.add_argument("--dmd-steps", type=int, default=3000, help="of the optimiser")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    noise = torch.randn((DRAWN, 2, 1, 1), generator=torch.Generator().manual_seed(1))
    real = Ring().points(DRAWN, torch.Generator().manual_seed(2))
    exact = draw(Exact(), noise, EXACT_STEPS)
    progressive = draw(progressive_student(arguments.steps), noise, 1)
    matched = draw(dmd2_student(arguments.dmd_steps), noise, 1)
    ours, theirs = apart(progressive, exact), apart(draw(Exact(), noise, 8), exact)
    result = {
        "benchmark": "few_steps",
        "ours": ours,
        "theirs": theirs,
        "unit": f"distance to the exact flow's end, ring of radius {RADIUS:g}",
        "ratio": theirs / ours,
        "exact_score_1_step": apart(draw(Exact(), noise, 1), exact),
        "exact_score_64_steps": apart(draw(Exact(), noise, 64), exact),
        "energy_distance_floor": energy_distance(exact, real),
        "energy_distance_progressive": energy_distance(progressive, real),
        "energy_distance_dmd2": energy_distance(matched, real),
        "modes_progressive": modes(progressive),
        "modes_dmd2": modes(matched),
        "of_modes": MODES,
        "optimiser_steps": {"halving": arguments.steps, "dmd2": arguments.dmd_steps},
    }
    print(json.dumps(result))


def progressive_student(steps: int) -> nn.Module:
    """A network that draws in one step what the exact score draws in 32: fitted to it, then halved five times."""
    network, of_exact = Network(0), Denoiser(Exact(), PROCESS, no_context(1)[0])
    fit = GuidanceLesson(Denoiser(network, PROCESS), of_exact, GuidanceDistillation(guidance=1.0), ring())
    teacher = trained(network, fit, 2 * steps, 0)
    for count in HALVINGS[1:]:
        student, of_teacher = Denoiser(network, PROCESS), Denoiser(teacher, PROCESS)
        lesson = ProgressiveLesson(student, of_teacher, ProgressiveDistillation(steps=count), ring())
        teacher = trained(network, lesson, steps * (2 if count <= 2 else 1), seed=count)
    return teacher


def dmd2_student(steps: int) -> nn.Module:
    """A network that draws in one step, without having seen where any noise ends."""
    network, fake, none = Network(0), Network(1), no_context(1)[0]
    lesson = Dmd2Lesson(
        Denoiser(network, PROCESS),
        Denoiser(Exact(), PROCESS, none),
        Denoiser(fake, PROCESS),
        Undecided(fake),
        DistributionMatching(
            steps=1, guidance=1.0, fake_updates=5, fake_learning_rate=1e-3, adversarial=0, discriminator=0
        ),
        ring(),
    )
    return trained(network, lesson, steps, seed=0, rate=1e-3)


def trained(network: nn.Module, lesson: Lesson[LatentBatch], steps: int, seed: int, rate: float = 4e-3) -> nn.Module:
    """The averaged network."""
    settings = TrainingSettings(batch_size=BATCH, learning_rate=rate, decay="linear", ema_decay=0.99)
    training = Training(network, lesson, settings, steps=steps, seed=seed)
    training.run(steps)
    network.load_state_dict(training.network.state_dict())
    return training.network


@torch.no_grad()
def draw(network: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Points by DDIM in equal steps: [B, 2, 1, 1]."""
    denoiser, noisy, context = Denoiser(network, PROCESS), noise, no_context(len(noise))
    for step in range(steps, 0, -1):
        places, until = (torch.full((len(noise),), each / steps) for each in (step, step - 1))
        noisy = ddim_step(PROCESS.path, noisy, denoiser.clean(noisy, places, context), places, until)
    return noisy


def apart(points: Tensor, others: Tensor) -> float:
    """Mean distance of each point to its other."""
    return (points - others).flatten(1).norm(dim=1).mean().item()


def energy_distance(points: Tensor, others: Tensor) -> float:
    """2 E|X − Y| − E|X − X′| − E|Y − Y′| (Székely & Rizzo)."""
    x, y = points.flatten(1), others.flatten(1)
    return (2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()).item()


def modes(points: Tensor) -> int:
    """How many have at least a quarter of their share, of points within three spreads of a centre."""
    distances = torch.cdist(points.flatten(1), centres())
    nearest = distances.argmin(1)[distances.min(1).values < 3 * SPREAD]
    return int((torch.bincount(nearest, minlength=MODES) >= len(points) / MODES / 4).sum())


def centres() -> Tensor:
    """Of the modes: [8, 2]."""
    angles = 2 * math.pi * torch.arange(MODES) / MODES
    return RADIUS * torch.stack([angles.cos(), angles.sin()], dim=1)


def no_context(count: int) -> Tensor:
    """[count, 1, 1]"""
    return torch.zeros(count, 1, 1)


def ring() -> Examples:
    """The ring as a lesson asks for it."""
    return cast(Examples, Ring())


if __name__ == "__main__":
    main()
