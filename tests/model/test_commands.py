"""``archlab generate`` and ``archlab score`` as a person types them; the other tests here say what they draw."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from archlab.cli.generate import generate
from archlab.cli.score import score
from archlab.errors import BadInput
from archlab.model import Model
from archlab.model.folder import save_model


@pytest.fixture(scope="module")
def folder(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two models lie in models/."""
    folder = tmp_path_factory.mktemp("a phöne")
    for name in ("knee", "best one"):
        save_model(model, folder / "models" / name)
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def drawn(*arguments: object) -> Result:
    return CliRunner().invoke(generate, [*map(str, arguments)], catch_exceptions=False)


def test_one_model_draws_into_generated(here: Path) -> None:
    (here / "prompts.txt").write_text("a handwritten three\n\nzebra\n", encoding="utf-8")
    shown = drawn("models/knee", "--prompts", "prompts.txt", "--seeds", "0,3,0", "--steps", 2)
    out = Path("generated/knee")
    assert {path.name for path in out.iterdir()} == {
        "grid.png",
        *(f"{stem}-seed{seed}.png" for stem in ("a-handwritten-three", "zebra") for seed in (0, 3)),
    }
    assert shown.stdout.splitlines() == [
        "pictures  4 in generated/knee",
        "grid      generated/knee/grid.png",
        "next      archlab score models/knee",
    ]
    assert shown.stderr == "knee: the word 'zebra' is in no caption of the data\n"


def test_several_models_draw_from_equal_noise_onto_one_page(here: Path) -> None:
    shown = drawn(
        "models/knee", "models/best one", "--prompt", "a handwritten three", "--steps", 2, "--out", "side by side"
    )
    assert shown.stdout.splitlines()[-2:] == [
        "page      side by side/index.html",
        "next      archlab score models/knee 'models/best one'",
    ]
    html = Path("side by side/index.html").read_text(encoding="utf-8")
    assert " ms = " in html
    assert "from the same noise, 2 steps each" in html
    pictures = [Path("side by side") / name / "a-handwritten-three-seed0.png" for name in ("knee", "best-one")]
    first, second = (Image.open(path) for path in pictures)
    assert first.tobytes() == second.tobytes()
    assert first.text["model"] == "knee"  # type: ignore[attr-defined]  # a PNG has it


def test_scores_are_printed_and_written(here: Path) -> None:
    options = ["models/knee", "--steps", "native,1", "--samples", "20", "--no-latency"]
    shown = CliRunner().invoke(score, [*options, "--format", "json"], catch_exceptions=False)
    first, last = json.loads(shown.stdout)
    assert (first["steps"], first["passes"], last["steps"]) == (4, 8, 1)
    assert first["fid_label"] == "fid@20 (digits-reader-8px)"
    assert {path.name for path in Path("reports/scores/knee").iterdir()} == {
        *(f"scores.{ending}" for ending in ("csv", "md", "tex", "png", "svg"))
    }
    table = CliRunner().invoke(score, options, catch_exceptions=False)
    assert table.stdout.splitlines()[-3:] == [
        "picture  reports/scores/knee/scores.png",
        "table    reports/scores/knee/scores.csv, .md, .tex",
        "next     archlab export models/knee",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models/kne", "--prompt", "a"], "did you mean 'models/knee'"),
        (["models/knee"], "either --prompts FILE, one a line, or --prompt TEXT"),
        (["models/knee", "--prompt", "a", "--prompts", "prompts.txt"], "either --prompts FILE"),
        (["models/knee", "--prompts", "absent.txt"], "absent.txt: no such file"),
        (["models/knee", "--prompt", "a", "--steps", "1001"], "steps: between 1 and 1,000"),
        (["models/knee", "--prompt", "a", "--guidance", "nan"], "guidance: must be a finite number"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(arguments: list[str], message: str, here: Path) -> None:
    with pytest.raises(BadInput, match=message):
        drawn(*arguments, "--out", "nothing")
    assert not Path("nothing").exists()


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (generate, ["m", "--prompt", "a", "--seeds", "x"], "'x': whole numbers from 0 are needed, with commas"),
        (generate, ["m", "--prompt", "a", "--seeds", "1,,2"], "''"),
        (generate, ["m", "--prompt", "a", "--seeds", "-1"], "'-1'"),
        (generate, ["m", "--prompt", "a", "--seeds", "99999999999999999999"], "whole numbers"),
        (generate, ["m", "--prompt", "a", "--steps", "0"], "0 is not in the range x>=1"),
        (score, ["m", "--steps", "0"], "'0': whole numbers from 1 are needed, with commas between them, or native"),
        (score, ["m", "--steps", "8,nativ"], "'nativ'"),
        (score, ["m", "--samples", "1"], "1 is not in the range x>=2"),
    ],
)
def test_numbers_that_are_none_are_refused(command: object, arguments: list[str], message: str) -> None:
    shown = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert shown.exit_code == 2
    assert message in shown.stderr
