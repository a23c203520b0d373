"""The picture, read back."""

import warnings
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from archlab.architecture import Block, Stage, UNetSpec, preset
from archlab.drawing import Subject, draw_architecture, drawing_info, levels, write_picture
from archlab.drawing.geometry import place
from archlab.drawing.picture import drawn
from archlab.drawing.style import WIDTH
from archlab.errors import BadInput

ODD = "ä 図 $x_1$ <b> & \x01"


def texts(path: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ET.parse(path).iter() if element.tag.endswith("text")]


def test_a_comparison_is_drawn_with_its_words_as_text(tmp_path: Path) -> None:
    info = drawing_info(Subject("mobilediffusion", preset("mobilediffusion")), Subject("sd15", preset("sd15")))
    svg, png = write_picture(info, tmp_path / "new folder" / "ä b.c")
    assert (svg.name, png.name) == ("ä b.c.svg", "ä b.c.png")
    shown = texts(svg)
    assert {"sd15 → mobilediffusion", "64×64", "− stage removed", "+ stage added", "26.9→7.55 G", "×13"} <= set(shown)
    assert shown.count("down.3.0") == 2
    with Image.open(png) as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.shape == (2 * round(place(info).height), 2 * WIDTH)
    assert pixels.std() > 20


def test_an_input_that_feeds_no_block_beside_it_is_drawn(tmp_path: Path) -> None:
    """Before: one block down, two up, the second with the stage's input. After: three down, so nothing is beside it."""
    block = Block()
    before, after = (
        UNetSpec(sample_size=8, norm_groups=4, middle=(), stages=(Stage(channels=8, down=down, up=up),))
        for down, up in (((block,), (block,) * 2), ((block,) * 3, (block,)))
    )
    info = drawing_info(Subject("after", after), Subject("before", before))
    assert any(level.down is level.up is None for level in levels(info.rows[0]))
    assert "up.0.1" in texts(write_picture(info, tmp_path / "odd")[0])


def test_equal_drawings_give_equal_files(tmp_path: Path) -> None:
    first, second = (draw_architecture(preset("tiny"), tmp_path / name, title="t")[0] for name in ("a", "b.svg"))
    assert second == tmp_path / "b.svg"
    assert first.read_bytes() == second.read_bytes()


def test_any_name_is_shown_as_it_is(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg, _ = draw_architecture(preset("bk_sdm_small"), tmp_path / "odd", title=ODD)
    assert ODD.replace("\x01", "?") in texts(svg)


@pytest.mark.parametrize("names", [("sd15", "sdxl"), ("bk_sdm_tiny", "mobilediffusion"), ("snapfusion", "sd15")])
def test_blocks_do_not_cover_each_other_and_stay_inside(names: tuple[str, str]) -> None:
    before, after = (Subject(name, preset(name)) for name in names)
    placement = place(drawing_info(after, before))
    for placed in (*placement.rows, placement.middle):
        for side in (placed.down, placed.up[::-1]):
            assert all(a.bottom < b.top for a, b in pairwise(side))
        for cell in (*placed.down, *placed.up):
            assert placed.top < cell.top < cell.bottom < placed.bottom <= placement.height
            assert 0 < cell.left < cell.right < WIDTH
        assert all(left.right < right.left for left in placed.down for right in placed.up)


def test_a_stem_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "taken.png").mkdir()
    for stem, message in ((tmp_path, "is a folder"), (tmp_path / "file" / "a", "cannot be written")):
        with pytest.raises(BadInput, match=message):
            draw_architecture(preset("tiny"), stem)
    with pytest.raises(BadInput, match=r"taken\.png: is a folder"):
        draw_architecture(preset("tiny"), tmp_path / "taken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.png"]


@pytest.mark.parametrize("names", [("sdxl",), ("sd15", "mobilediffusion"), ("mobilediffusion_lite", "sdxl")])
def test_no_text_covers_another_or_is_clipped(names: tuple[str, ...]) -> None:
    subjects = [Subject(f"{'a long path/' * 9}{name}.yaml", preset(name)) for name in names]
    info = drawing_info(subjects[-1], *subjects[:-1])
    with drawn(info) as figure:
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = {text: text.get_window_extent(renderer) for text in figure.axes[0].texts if text.get_text()}
    assert len(boxes) > 50
    for text, box in boxes.items():
        assert min(box.x0, box.y0, WIDTH - box.x1, place(info).height - box.y1) >= 0, text
    for (text, box), (other, place_of_other) in combinations(boxes.items(), 2):
        assert not box.shrunk(0.98, 0.7).overlaps(place_of_other.shrunk(0.98, 0.7)), (text, other)
