"""A new attribute of the spec takes four files beside its test; everything else reads it from there.

The attribute is norms of queries and keys, over all heads, written into a copy of the package.
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
            '    qk_norm: bool = field(default=False, metadata=_of(_ATTENTIONS, Wording(label="QK norm")))\n\n'
            "    @property\n    def parts("
        )
    },
    "cost/tally.py": {
        "    tally.product(product, 2 * queries": (
            "    for _ in range(2 * each.qk_norm):\n        tally.norm(channels)\n"
            "    tally.product(product, 2 * queries"
        )
    },
    "unet/transformer.py": {
        "        shared_kv: bool,\n": "        shared_kv: bool,\n        qk_norm: bool,\n",
        "        self.query = ": (
            "        self.query_norm, self.key_norm = (\n"
            "            nn.LayerNorm(channels) if qk_norm else nn.Identity() for _ in range(2)\n        )\n"
            "        self.query = "
        ),
        "query = self.query(x)": "query = self.query_norm(self.query(x))",
        "return query, key, key if": "return query, self.key_norm(key), key if",
        'shares_kv("self"), ': 'shares_kv("self"), transformer.qk_norm, ',
        'shares_kv("cross"), ': 'shares_kv("cross"), transformer.qk_norm, ',
    },
    "space/knobs.py": {
        '        _attribute_knob("ff_ratio"': (
            '        _transformer_knob("qk_norm", "norms of queries and keys"),\n        _attribute_knob("ff_ratio"'
        )
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

knob = KNOBS["qk_norm"]
before = preset("tiny").scaled(width=0.25, sample_size=8)
after = knob.apply(before, True)
assert (knob.read(before), knob.read(after)) == (False, True)
assert after.id != before.id
bare = KNOBS["cross_attention"].apply(KNOBS["self_attention"].apply(before, "none"), "none")
assert knob.apply(bare, True).id == bare.id, "without attention it has no effect"

save(after, Path(sys.argv[1]) / "after.yaml")
assert load(Path(sys.argv[1]) / "after.yaml") == after
assert {difference.where.rpartition(".")[2] for difference in diff(before, after)} == {"qk_norm"}
assert "QK\\N{NO-BREAK SPACE}norm\\N{NO-BREAK SPACE}False→True" in text_drawing(
    drawing_info(Subject("after", after), Subject("before", before))
).plain
assert any("qk_norm" in reason for reason in diffusers_obstacles(after))

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


def test_four_files_make_an_attribute_known_everywhere(package: Path, tmp_path: Path) -> None:
    assert len(EDITS) == 4
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(package)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
