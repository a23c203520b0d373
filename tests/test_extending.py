"""The worked examples of docs/extending.md: each file as a module, each line in its registry, and what users get."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from archlab.architecture import UNetSpec
from archlab.data.load import load_data
from archlab.diffusion.configured import configured_process
from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.samplers import SAMPLERS
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.prepare import Prepared
from archlab.errors import BadInput
from archlab.evaluation.measures import MEASURES
from archlab.latency.devices.registry import KINDS, runner
from archlab.proxy.settings import ProxySettings
from archlab.proxy.training import examples
from archlab.registry import Registry
from archlab.scores.metrics import METRICS
from archlab.scores.metrics.metric import DrawnImages, Judges
from archlab.space import KNOBS, knobs, load_space
from archlab.training.lessons import LESSONS
from archlab.training.lessons.lesson import Materials
from archlab.training.training import Training
from archlab.unet.untrained import untrained

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n# (line of )?(\S+)\n(.*?)```", PAGE, flags=re.DOTALL)
FILES = {place: code for is_line, place, code in BLOCKS if not is_line}
LINES = {place: code.strip() for is_line, place, code in BLOCKS if is_line}

Patch = pytest.MonkeyPatch


def module(place: str, monkeypatch: Patch) -> ModuleType:
    """The file, as if it stood where the page says."""
    name = place.removesuffix(".py").replace("/", ".")
    made = ModuleType(name)
    exec(compile(FILES[place], place, "exec"), made.__dict__)
    monkeypatch.setitem(sys.modules, name, made)
    return made


def register(registry: Registry[Any], place: str, monkeypatch: Patch) -> str:
    """Put the line into its registry; the name that it registers."""
    ((name, entry),) = eval(f"{{{LINES[place]}}}").items()
    monkeypatch.setitem(registry.entries, name, entry)
    return str(name)


def test_every_example_of_the_page_is_tried_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{place}"' in source for place in (*FILES, *LINES))


def test_a_knob(monkeypatch: Patch, tmp_path: Path) -> None:
    knob = eval(LINES["archlab/space/knobs.py"], vars(knobs))
    monkeypatch.setitem(KNOBS, knob.name, knob)
    path = tmp_path / "space.yaml"
    path.write_text("baseline: tiny\nknobs: {heads: [4, 2], ff_ratio: [8, 4]}\n", encoding="utf-8")
    space = load_space(path)
    specs = [space.spec(values) for values in space.all_values()]
    assert {t.heads for spec in specs for t in spec.stages[0].down[0].transformers} == {4, 2}
    assert len({spec.id for spec in specs}) == space.size == 4
    path.write_text("baseline: tiny\nknobs: {heads: [perhaps]}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"space\.yaml:2:\d+: knobs\.heads\[0\]: takes a whole number, not 'perhaps'"):
        load_space(path)


def test_a_device(monkeypatch: Patch) -> None:
    name = register(KINDS, "archlab/latency/devices/registry.py", monkeypatch)
    assert runner(f"{name}:park").name == "sundial:park"


def test_a_data_source(monkeypatch: Patch) -> None:
    module("archlab/data/stripes.py", monkeypatch)
    from archlab.data.sources import BUILTIN

    data = load_data(register(BUILTIN, "archlab/data/sources.py", monkeypatch), 8)
    assert data.images.shape == (100, 1, 8, 8)
    assert set(data.captions) == {"upright stripes", "lying stripes"}


def test_a_metric(monkeypatch: Patch) -> None:
    module("archlab/scores/metrics/contrast.py", monkeypatch)
    measures = importlib.import_module("archlab.evaluation.measures")
    measure = eval(LINES["archlab/evaluation/measures.py"], vars(measures))
    assert measure.needs == "images"
    monkeypatch.setitem(MEASURES, measure.name, measure)
    with monkeypatch.context() as again:
        metrics = importlib.import_module("archlab.scores.metrics")
        again.setattr(metrics, "METRICS", METRICS)
        importlib.reload(metrics)
        metric = metrics.METRICS[measure.name]
    images = torch.tensor([[[[-1.0, 1.0]]], [[[0.0, 0.0]]]])
    nobody: Any = None
    judges = Judges(extractor=nobody, real=nobody, classifier=None, clip=None)
    drawn = DrawnImages(images=images, prompts=["a", "b"], facts=torch.empty(2, 0), judges=judges)
    assert metric.score(drawn).value == pytest.approx(2**0.5 / 2)


def test_an_objective_and_a_sampler(monkeypatch: Patch) -> None:
    module("archlab/diffusion/objectives/clean.py", monkeypatch)
    module("archlab/diffusion/samplers/heun.py", monkeypatch)
    objective = register(OBJECTIVES, "archlab/diffusion/objectives/__init__.py", monkeypatch)
    sampler = register(SAMPLERS, "archlab/diffusion/samplers/__init__.py", monkeypatch)
    process = configured_process(DiffusionSettings(objective=objective), sample_size=8)
    latents, noise = torch.randn(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    shares: list[float] = []
    drawn = SAMPLERS[sampler](
        lambda noisy, timestep: latents, noise, process, steps=10, limit=9.0, progress=shares.append
    )
    torch.testing.assert_close(drawn, latents, atol=1e-3, rtol=0)
    assert shares[-1] == pytest.approx(1.0)


def test_a_lesson(monkeypatch: Patch, small_unet: UNetSpec, prepared: Prepared, settings: ProxySettings) -> None:
    module("archlab/training/lessons/robust.py", monkeypatch)
    name = register(LESSONS, "archlab/training/lessons/__init__.py", monkeypatch)
    network = untrained(small_unet, 0)
    materials = Materials(network=network, examples=examples(prepared, settings), settings=settings, seed=0)
    training = Training(network, LESSONS[name](materials), settings, steps=2, seed=0)
    training.run(2)
    assert [row.step for row in training.curve] == [1, 2]
    assert all(0.5 < row.loss < 1.1 for row in training.curve)  # a standard normal's mean absolute value is 0.8
