"""The picture of a whole image's cost, read back from the figure."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from archlab.latency import Latency
from archlab.latency.pipeline.image import ImageLatency, Part
from archlab.report.budget import budget_figure, number, write_budget


def part(component: str, runs: int, ms: float, model_mb: float, peak_memory_mb: float | None) -> Part:
    measured = Latency(
        samples_ms=(ms, ms),
        bursts=(2,),
        left_out=0,
        noise=None,
        load_ms=1.0,
        first_run_ms=None,
        peak_memory_mb=peak_memory_mb,
        model_mb=model_mb,
        partitions=None,
        accelerated_share=None,
        parity_max_abs=None,
        provenance={"kind": "measured", "device": "tflite", "threads": 2, "precision": "fp32"},
    )
    return Part(component=component, network=f"a {component}", runs=runs, latency=measured)


@pytest.fixture
def image() -> ImageLatency:
    """10 + 4 × 20 + 10 = 100 ms, worked by hand."""
    parts = (
        part("text encoder", 1, 10.0, 492.0, 900.0),
        part("UNet", 4, 20.0, 3440.0, 4100.0),
        part("image decoder", 1, 10.0, 198.0, None),
    )
    return ImageLatency(
        image_size=512, steps=2, guidance=True, parts=parts, provenance={"kind": "sum of measured parts"}
    )


def test_bars_are_as_long_as_the_numbers(image: ImageLatency) -> None:
    axes: list[Any] = budget_figure(image).axes
    time, size = axes
    assert [bar.get_width() for bar in time.patches] == [10.0, 80.0, 10.0]
    assert [bar.get_width() for bar in size.patches] == [492.0, 3440.0, 198.0, 900.0, 4100.0]
    assert [text.get_text() for text in time.texts] == ["10 ms (10.0%)", "4 × 20 = 80 ms (80.0%)", "10 ms (10.0%)"]
    assert "memory not known" in [text.get_text() for text in size.texts]
    (ends,) = time.collections
    assert [path.vertices[0][0] for path in ends.get_paths()] == [20.0, 40.0, 60.0]


def test_runs_too_short_to_be_seen_are_not_drawn_apart(image: ImageLatency) -> None:
    encoder, unet, decoder = image.parts
    time = budget_figure(replace(image, parts=(encoder, replace(unet, runs=400), decoder))).axes[0]
    assert list(time.collections) == []


def test_labels_say_what_it_is_and_where_it_comes_from(image: ImageLatency) -> None:
    figure = budget_figure(image)
    words = [text.get_text() for text in figure.texts]
    assert "One 512×512 image, 2 steps with guidance: 100 ms" in words
    origin = "sum of measured parts · random weights · tflite · fp32 · 2 threads · files together 4,130 MB"
    assert origin in words
    one = budget_figure(replace(image, steps=1, guidance=False))
    assert any("1 step without guidance" in text.get_text() for text in one.texts)


def test_labels_stay_inside_the_picture(image: ImageLatency) -> None:
    figure = budget_figure(image)
    figure.canvas.draw()
    for axes in figure.axes:
        for text in axes.texts:
            assert text.get_window_extent().x1 <= figure.bbox.x1


def test_picture_is_written_twice_alike(image: ImageLatency, tmp_path: Path) -> None:
    stem = tmp_path / "new" / "sd15-0.25-tflite"
    write_budget(image, stem)
    png, svg = (stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg"))
    with Image.open(png) as picture:
        assert picture.width > 1500
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    first = png.read_bytes(), svg.read_bytes()
    write_budget(image, stem)
    assert first == (png.read_bytes(), svg.read_bytes())


@pytest.mark.parametrize(("value", "said"), [(0.0456, "0.0456"), (9.876, "9.88"), (99.96, "100"), (12345.6, "12,346")])
def test_numbers_are_short(value: float, said: str) -> None:
    assert number(value) == said
