import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from archlab.evaluation import AnyLatency
from archlab.model.pictures import Drawn
from archlab.report.gallery import Column, cost_line, write_gallery
from tests.made_up_facts import estimated, measured
from tests.report.browser import screenshot

PROMPTS = ("a cat", "<script>alert(1)</script> & </style>")
HERE = {"device": "tflite", "threads": 1, "precision": "fp32"}


@pytest.fixture
def drawn(tmp_path: Path) -> Drawn:
    folder = tmp_path / "ä b"
    folder.mkdir()
    pictures = {}
    for number, (prompt, seed) in enumerate((prompt, seed) for prompt in PROMPTS for seed in (0, 5)):
        pictures[prompt, seed] = folder / f"{number}.png"
        Image.new("L", (8, 8), 40 * number).save(pictures[prompt, seed])
    return Drawn(
        model="knee <b>",
        architecture="0123456789ab",
        folder=folder,
        pictures=pictures,
        steps=50,
        passes=100,
        guidance=2.0,
        scheduler="DDIMScheduler",
        latent=(1, 8, 8),
        image_size=8,
        remarks=("the word '<i>' is in no caption of the data",),
    )


def page(columns: list[Column], folder: Path) -> str:
    return write_gallery(columns, " · ".join(column.drawn.model for column in columns), folder).read_text()


def column(drawn: Drawn, latency: AnyLatency | None = None, **changes: object) -> Column:
    return Column(replace(drawn, **changes), latency, 0.8, 0.01)  # type: ignore[arg-type]


def test_every_picture_is_there_and_nothing_is_loaded_or_run(drawn: Drawn, tmp_path: Path) -> None:
    columns = [column(drawn, measured(7.21, provenance=HERE)), column(drawn, model="best")]
    html = page(columns, tmp_path)
    assert html.count('<img src="data:image/png;base64,') == 2 * 4
    assert not re.findall(r'(?:src|href)="(?!data:)', html)
    assert "default-src 'none'" in html
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;/style&gt;" in html
    assert "knee &lt;b&gt;" in html
    assert "image-rendering: pixelated" in html
    assert "2 models drew 2 prompts with 2 seeds, from the same noise, 50 steps each" in html
    assert html.count("100 passes × 7.21 ms = 721 ms") == len(PROMPTS)
    assert html.count("the word &#39;&lt;i&gt;&#39; is in no caption of the data") == 1
    assert "knee &lt;b&gt;, best: the word" in html


@pytest.mark.parametrize(
    ("latency", "line"),
    [
        (None, "100 passes"),
        (measured(0.5), "100 passes × 0.5 ms = 50 ms"),
        (measured(72.1, noise="others ran"), "100 passes × 72.1 ms = 7.21 s (noisy)"),
        (estimated(1500.0), "100 passes × 1.5e+03 ms = 2.5 min (estimated)"),
    ],
)
def test_cost_is_passes_times_latency_and_no_doubt_is_hidden(
    drawn: Drawn, latency: AnyLatency | None, line: str
) -> None:
    assert cost_line(column(drawn, latency)) == line
    assert cost_line(column(drawn, passes=1)) == "1 pass"


def test_what_is_not_equal_is_said(drawn: Drawn, tmp_path: Path) -> None:
    noisy = measured(5.0, noise="others took 20 % of the time")
    columns = [column(drawn), column(drawn, noisy, model="b", latent=(4, 64, 64), steps=8, guidance=7.5)]
    html = page(columns, tmp_path)
    assert "The noise is not equal: latents have different shapes (1×8×8 of knee &lt;b&gt;, 4×64×64 of b)" in html
    assert "Steps differ: 50 of knee &lt;b&gt;, 8 of b." in html
    assert "Guidance differs: 2 of knee &lt;b&gt;, 7.5 of b." in html
    assert "The latency of b is noisy: others took 20 % of the time" in html
    assert "from the same noise" not in html


@pytest.mark.slow
def test_a_browser_shows_it(drawn: Drawn, tmp_path: Path, browser: str) -> None:
    path = write_gallery([column(drawn), column(drawn, model="best")], "two", tmp_path)
    document = screenshot(browser, path.as_uri(), tmp_path / "page.png")
    assert document.count("<figure>") == 8
    greys = {color for _, color in Image.open(tmp_path / "page.png").convert("RGB").getcolors(1 << 24) or []}
    assert {(40, 40, 40), (80, 80, 80), (120, 120, 120)} < greys
