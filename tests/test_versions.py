"""Results that are cached do not change while their code's version stays: small ones of each part, as recorded.

Those of ``CONVERT`` are files, beside the tests that convert: `tests/convert`.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from archlab.architecture import UNetSpec, map_transformers
from archlab.architecture.presets import stable_diffusion
from archlab.cache import content_hash
from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.process import Process
from archlab.diffusion.samplers import SAMPLERS
from archlab.diffusion.schedules import SCHEDULES
from archlab.encoders.prepare import Prepared
from archlab.encoders.vae import Vae
from archlab.encoders.words import Words
from archlab.latency.table.networks import idle_network, piece_network
from archlab.latency.table.pieces import pieces
from archlab.progress import silent_share
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import begin_training
from archlab.scores.attribute_classifier import ClassifierNetwork
from archlab.scores.metrics.fid import fid
from archlab.scores.metrics.kid import kid
from archlab.scores.metrics.precision import precision
from archlab.scores.metrics.recall import recall
from archlab.scores.real_features import RealFeatures
from archlab.scores.validation import ValidationLoss
from archlab.training.settings import Distillation
from archlab.unet import build, inherit
from tests.encoders.tiny import save_kl
from tests.fingerprint import assert_unchanged, summary
from tests.latency.test_pipeline import TINY

SMALL = stable_diffusion(channels=(16, 32), depths=(1, 1), heads=(2, 4), sample_size=8, context_dim=24, norm_groups=4)
PROCESSES = [
    # epsilon: cosine, linear, scaled_linear, shifted
    *(0.864841, 0.021362, 0.851757, 0.022809, 0.851165, 0.021608, 0.858725, -0.002574),
    *(0.554025, 0.00267, 0.477347, -0.004755, 0.531276, 0.000108, 0.424452, -0.010978),  # v
    *(0.673869, 0.005826, 0.675517, 0.005039, 0.675517, 0.005039, 0.638533, -0.011654),  # flow
]
SCORES = [
    *(1.274394, 0.269822, 0.489746, 0.141064, 0.9, 0.046017, 0.833333, 0.075134),  # fid, kid, precision, recall
    *(1.098731, 1.06907, 1.111765, 1.117371, 1.096719),  # validation loss, and of each quarter
    *(0.640502, 0.007278),  # an untrained classifier's features and answers
]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(spec: UNetSpec) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(spec).eval()


@torch.no_grad()
def test_unet() -> None:
    relu = map_transformers(
        SMALL, lambda transformer, _: replace(transformer, attention_normalizer="relu", kv_sharing="all", ff_ratio=4)
    )
    batch = (noise(2, 4, 8, 8), torch.tensor([10, 700]), noise(2, SMALL.context_length, 24, seed=1))
    parent = seeded(SMALL)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        heir = inherit(parent, relu, [batch])
    found = summary(parent(*batch), seeded(relu)(*batch), heir(*batch))
    assert_unchanged("UNET", found, {1: [0.346368, 0.005027]})


@torch.no_grad()
def test_pieces() -> None:
    """Weights and inputs are random: what decides a latency is how many and of which shape they are."""
    networks = [piece_network(piece, channels_last=True) for piece in dict.fromkeys(pieces(SMALL))]
    found = []
    for network in [*networks, idle_network(), *TINY.values()]:
        module, inputs = network.build(0)
        output = module(**inputs)
        outputs = (output,) if isinstance(output, Tensor) else output
        shapes = [list(tensor.shape) for tensor in (*inputs.values(), *outputs)]
        found.append((sum(weight.numel() for weight in module.parameters()), shapes))
    assert_unchanged(
        "PIECES", {sum(params for params, _ in found): content_hash(found)}, {2: {3413019: "ca56c5be637ba092"}}
    )


@torch.no_grad()
def test_encoders(tmp_path: Path) -> None:
    words = Words.of(["a handwritten three", "größer als 7"])
    vae = save_kl(tmp_path)
    for number, weight in enumerate(vae.parameters()):
        weight.copy_(noise(*weight.shape, seed=number) / max(weight[0].numel(), 8) ** 0.5)
    AutoencoderKL.save_pretrained(vae, tmp_path)
    ours, images = Vae(str(tmp_path)), noise(2, 1, 8, 8).clamp(-1, 1)
    latents = ours.encode(images)
    found = summary(words.encode(["a handwritten three", ""]), latents, ours.decode(latents))
    assert_unchanged("ENCODERS", found, {1: [0.810567, 0.007945]})


def _processes(settings: ProxySettings) -> Iterator[Process]:
    for objective, schedule in itertools.product(OBJECTIVES.names, SCHEDULES.names):
        yield Process(OBJECTIVES[objective], SCHEDULES[schedule], settings.scale.sample_size, min_snr=5.0)


def test_diffusion(settings: ProxySettings) -> None:
    found = []
    times = torch.tensor([0, 300, 999])
    for process in _processes(settings):
        batch = process.batch(noise(3, 1, 4, 4), noise(3, 1, 4, 4, seed=1), times, noise(3, 2, 2))
        drawn = [
            sampler(lambda x, _: 0.5 * x, noise(2, 1, 4, 4), process, steps=4, limit=1.0, progress=silent_share)
            for sampler in map(SAMPLERS.__getitem__, ("ddim", "dpm", "euler"))
        ]
        found += summary(batch.noisy, batch.timesteps / 1000, batch.target, batch.weight, *drawn)
    assert_unchanged("DIFFUSION", found, {1: PROCESSES})


@pytest.mark.parametrize(
    ("change", "losses"),
    [
        ({}, [1.012411, 1.253889, 0.785033, 1.017605, 0.851742, 0.750641, 0.743201, 0.734885, 0.097012, -9.3e-05]),
        (
            {"distill": Distillation(output=0.5, features=0.1)},
            [1.012411, 1.973479, 1.290377, 1.339477, 1.409195, 1.164528, 1.166567, 1.486121, 0.096097, -9.7e-05],
        ),
    ],
)
def test_training(
    change: dict[str, object], losses: list[float], small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings
) -> None:
    spec = map_transformers(
        small_unet, lambda transformer, _: replace(transformer, attention_normalizer="softmax->relu")
    )
    few = settings.model_copy(
        update={"rungs": (8,), "batch_size": 4, "learning_rate": 0.01, "finetune_share": 0.5, **change}
    )
    training = begin_training(spec, prepared, few, seed=0, teacher=seeded(small_unet) if change else None)  # type: ignore[arg-type]
    training.run(8)
    averaged = torch.cat([weight.flatten() for weight in training.network.parameters()])
    found = [*(round(row.loss, 6) for row in training.curve), *summary(averaged)]
    assert_unchanged("TRAINING", found, {1: losses}, tolerance=2e-3)


@torch.no_grad()
def test_scores(small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings) -> None:
    drawn, real = noise(40, 6).double().numpy(), RealFeatures(noise(60, 6, seed=1).double().numpy() + 0.3)
    found = [number for metric in (fid, kid, precision, recall) for number in metric(drawn, real)]
    found += [score.value for score in ValidationLoss(prepared, settings).scores(seeded(small_unet)).values()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = ClassifierNetwork(1, 8, (10, 2)).eval()
    images = noise(4, 1, 12, 12).clamp(-1, 1)
    found += summary(classifier.features(images), *classifier(images))
    assert_unchanged("SCORES", [round(float(number), 6) for number in found], {1: SCORES})
