"""The drawing in a terminal, against one made by hand."""

from dataclasses import replace

from rich.console import Console

from archlab.architecture import preset
from archlab.drawing import Subject, drawing_info, text_drawing

# Stages of 1 down and 2 up blocks: the upper one takes the stage's input. MACs are those of `archlab profile tiny`.
TINY = """\
tiny
params 13.7 M · MACs 2.63 G

32×32 · 64 channels
                                               stage input ───▸  up.0.1       standard   SA  CA  FF ×1        0.357 G
     down.0.0     standard   SA  CA  FF ×1        0.311 G  ───▸  up.0.0       standard   SA  CA  FF ×1        0.399 G
     ↓ downsample standard                       0.0094 G

16×16 · 128 channels
                                                                 ↑ upsample   standard                        0.151 G
                                               stage input ───▸  up.1.1       standard   SA  CA  FF ×1        0.222 G
     down.1.0     standard   SA  CA  FF ×1         0.18 G  ───▸  up.1.0       standard   SA  CA  FF ×1        0.284 G
     ↓ downsample standard                       0.0094 G

8×8 · 256 channels
                                                                 ↑ upsample   standard                        0.151 G
                                               stage input ───▸  up.2.1       standard                        0.101 G
     down.2.0     standard                        0.059 G  ───▸  up.2.0       standard                        0.122 G

middle · 8×8 · 256 channels
     middle.0     standard   SA  CA  FF ×1        0.194 G
     middle.1     standard                        0.076 G"""


def test_tiny_is_drawn_as_by_hand() -> None:
    assert text_drawing(drawing_info(Subject("tiny", preset("tiny")))).plain == TINY


NARROW = """\
8×8 · 256 channels
     down.2.0     standard                        0.059 G
     ↑ upsample   standard                        0.151 G
     up.2.1       standard                        0.101 G
     skip from the stage input
     up.2.0       standard                        0.122 G
     skip from down.2.0

middle · 8×8 · 256 channels
"""


def test_a_narrow_terminal_has_the_way_up_below_the_way_down() -> None:
    drawing = text_drawing(drawing_info(Subject("tiny", preset("tiny"))), width=80).plain
    assert NARROW in drawing.replace("\N{NO-BREAK SPACE}", " ")
    assert max(map(len, drawing.splitlines())) <= 58
    assert text_drawing(drawing_info(Subject("tiny", preset("tiny"))), width=118).plain == TINY


def test_removed_added_and_changed_have_their_symbols() -> None:
    drawing = text_drawing(drawing_info(Subject("b", preset("mobilediffusion")), Subject("a", preset("sd15")))).plain
    lines = [" ".join(line.split()) for line in drawing.splitlines()]
    assert lines[0] == "a → b"
    assert lines[1].startswith("params 859.5 M → 383.9 M (−55.3 %) · MACs 401.6 G → 128.3 G (−68.1 %)")
    assert lines[2] == "blocks: 14 removed, 4 added, 8 changed"
    assert any(
        line.startswith("− down.1.1 standard SA CA FF ×1 −17.5 G ~ up.1.0 separable −SA CA FF") for line in lines
    )
    assert any(line.startswith("+ down.3.0 separable SA CA FF ×1 +5.13 G +──▸+ up.3.1") for line in lines)


def test_colour_is_for_terminals_only() -> None:
    tiny = preset("tiny")
    drawing = text_drawing(drawing_info(Subject("b", replace(tiny, middle=())), Subject("a", tiny)))
    for is_terminal in (True, False):
        console = Console(force_terminal=is_terminal, color_system="standard" if is_terminal else None, width=120)
        with console.capture() as capture:
            console.print(drawing, soft_wrap=True, highlight=False)
        assert ("\x1b[31m" in capture.get()) is is_terminal
