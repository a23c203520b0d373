"""What the shipped search spaces can reach is built, trains, and costs what was counted."""

import os
from pathlib import Path

import pytest
import torch

from archlab.cost import count
from archlab.proxy.evaluate import proxy_spec
from archlab.study import StudyDefinition, load_definition
from archlab.unet import build

SPACES = Path(__file__).parents[2] / "search_spaces"
SAMPLES = 300
MODERN = int(os.environ.get("ARCHLAB_SAMPLED_SPECS", "20"))  # 200 before a release: a third of a second each


@pytest.fixture(scope="module")
def definition() -> StudyDefinition:
    return load_definition(SPACES / "mobilediffusion.yaml")


@pytest.fixture(scope="module")
def modern() -> StudyDefinition:
    return load_definition(SPACES / "modern.yaml")


@pytest.mark.parametrize("first", range(0, SAMPLES, 50))
def test_sampled_architectures_run_forward_and_backward(definition: StudyDefinition, first: int) -> None:
    check(definition, range(first, first + 50))


@pytest.mark.parametrize("first", range(0, MODERN, 20))
def test_those_with_the_knobs_of_mobilediffusions_successors_too(modern: StudyDefinition, first: int) -> None:
    check(modern, range(first, first + 20))


def check(definition: StudyDefinition, seeds: range) -> None:
    for seed in seeds:
        spec = proxy_spec(definition.space.sample(seed), definition.settings.proxy)
        unet = build(spec)
        assert sum(parameter.numel() for parameter in unet.parameters()) == count(spec).params, seed
        sample = torch.randn(1, spec.in_channels, spec.sample_size, spec.sample_size)
        out = unet(sample, torch.tensor([500.0]), torch.randn(1, spec.context_length, spec.context_dim))
        assert out.shape == (1, spec.out_channels, spec.sample_size, spec.sample_size), seed
        assert out.isfinite().all(), seed
        out.square().mean().backward()
        for name, parameter in unet.named_parameters():
            assert parameter.grad is not None, (seed, name)
            assert parameter.grad.isfinite().all(), (seed, name)


@pytest.mark.parametrize("space", ["definition", "modern"])
def test_samples_are_many_different_architectures(space: str, request: pytest.FixtureRequest) -> None:
    specs = [request.getfixturevalue(space).space.sample(seed) for seed in range(SAMPLES)]
    assert len({spec.id for spec in specs}) > 0.95 * SAMPLES
    with torch.device("meta"):
        for spec in specs[::10]:
            assert sum(parameter.numel() for parameter in build(spec).parameters()) == count(spec).params
