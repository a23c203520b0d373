"""A new attribute of the spec takes three files beside its test; everything else reads it from there.

The attribute is a norm of what attention mixes, before the last projection (arXiv 2210.06423), written into a copy of
the package.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import archlab

EDITS = {
    "architecture/parts.py": {
        "    @property\n    def parts(": (
            "    inner_norm: bool = field(\n"
            '        default=False, metadata=_of(_ATTENTIONS, Wording(label="inner norm"), knob="inner norm")\n'
            "    )\n\n"
            "    @property\n    def parts("
        )
    },
    "cost/tally.py": {
        "    tally.product(product, 2 * queries": (
            "    for _ in range(each.inner_norm):\n        tally.norm(channels)\n    tally.product(product, 2 * queries"
        )
    },
    "unet/transformer.py": {
        "        self.query = ": (
            "        self.inner_norm = nn.LayerNorm(channels) if transformer.inner_norm else nn.Identity()\n"
            "        self.query = "
        ),
        "self.out(self.mix(*self.project(x, context, grid)))": (
            "self.out(self.inner_norm(self.mix(*self.project(x, context, grid))))"
        ),
    },
}
CHECKS = """
import sys
from pathlib import Path

import torch

from archlab.architecture import diff, diffusers_obstacles, load, preset, save
from archlab.convert import FlatInputs, example_inputs
from archlab.convert.graph import run_graph, trace
from archlab.cost import count
from archlab.drawing import Subject, drawing_info, text_drawing
from archlab.latency.table.pieces import pieces
from archlab.space import KNOBS
from archlab.unet import build, inherit
from archlab.unet.counters import check

knob = KNOBS["inner_norm"]
before = preset("tiny").scaled(width=0.25, sample_size=8)
after = knob.apply(before, True)
assert (knob.read(before), knob.read(after)) == (False, True)
assert after.id != before.id
bare = KNOBS["cross_attention"].apply(KNOBS["self_attention"].apply(before, "none"), "none")
assert knob.apply(bare, True).id == bare.id, "without attention it has no effect"

save(after, Path(sys.argv[1]) / "after.yaml")
assert load(Path(sys.argv[1]) / "after.yaml") == after
assert {difference.where.rpartition(".")[2] for difference in diff(before, after)} == {"inner_norm"}
assert "inner\\N{NO-BREAK SPACE}norm\\N{NO-BREAK SPACE}False→True" in text_drawing(
    drawing_info(Subject("after", after), Subject("before", before))
).plain
assert any("inner_norm" in reason for reason in diffusers_obstacles(after))

parent = build(after).eval()
assert sum(parameter.numel() for parameter in parent.parameters()) == count(after).params
assert [row for row in check(after, ["torch"]) if row.unexplained] == []
changed = {piece.id for piece in pieces(after)} ^ {piece.id for piece in pieces(before)}
assert len(changed) > 0, "two networks must not share a timing"

with torch.no_grad():
    for name, parameter in parent.named_parameters():
        if "_norm" in name:
            parameter.uniform_(0.5, 2)
    child = inherit(parent, after).eval()
    assert child.inheritance.params["new"] == 0
    inputs = example_inputs(after)
    expected = FlatInputs(parent)(**inputs)
    assert torch.equal(FlatInputs(child)(**inputs), expected)
    (traced,) = run_graph(trace(FlatInputs(parent), inputs), inputs)
    torch.testing.assert_close(traced, expected, rtol=0, atol=1e-5)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a copy of archlab that has the attribute."""
    copy = tmp_path / "changed" / "archlab"
    shutil.copytree(Path(archlab.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name, edits in EDITS.items():
        text = (copy / name).read_text(encoding="utf-8")
        for place, changed in edits.items():
            assert text.count(place) == 1, f"{name}: {place!r}"
            text = text.replace(place, changed)
        (copy / name).write_text(text, encoding="utf-8")
    return copy.parent


def test_three_files_make_an_attribute_known_everywhere(package: Path, tmp_path: Path) -> None:
    assert len(EDITS) == 3
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
