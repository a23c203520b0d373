"""Wiring against cases worked out by hand: a stage's stack is its input, then each down block's output."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest

from archlab.architecture import Block, Node, Stage, UNetSpec, layout, preset, presets


def wiring(counts: str, *, stages: int = 2, flat: bool = False) -> dict[str, Node]:
    """Stages 0, 1, … have 8, 16, … channels, so that a skip's channels say where it comes from."""
    down, up = (int(number) for number in counts.split("/"))
    spec = UNetSpec(
        sample_size=8,
        norm_groups=4,
        stages=tuple(
            Stage(
                channels=8 * (index + 1),
                down=(Block(),) * down,
                up=(Block(),) * up,
                downsample="standard" if index < stages - 1 and not flat else None,
                upsample="standard" if index > 0 and not flat else None,
            )
            for index in range(stages)
        ),
        middle=(),
    )
    return {node.name: node for node in layout(spec)}


def skips(nodes: dict[str, Node]) -> dict[str, int]:
    return {name: node.skip_channels for name, node in nodes.items() if name.startswith("up.")}


def taken(nodes: dict[str, Node]) -> dict[str, int]:
    return dict(Counter(node.skip_from for node in nodes.values() if node.skip_from))


def test_stable_diffusion_takes_every_skip() -> None:
    nodes = wiring("2/3")
    # Stage 1's input is stage 0's 8 channels, halved in size.
    assert skips(nodes) == {"up.1.0": 16, "up.1.1": 16, "up.1.2": 8, "up.0.0": 8, "up.0.1": 8, "up.0.2": 8}
    ones = ["conv_in", "down.0.0", "down.0.1", "downsample.0", "down.1.0", "down.1.1"]
    assert taken(nodes) == dict.fromkeys(ones, 1)


def test_bk_sdm_takes_every_skip() -> None:
    nodes = wiring("1/2")
    assert skips(nodes) == {"up.1.0": 16, "up.1.1": 8, "up.0.0": 8, "up.0.1": 8}
    assert taken(nodes) == dict.fromkeys(["conv_in", "down.0.0", "downsample.0", "down.1.0"], 1)


def test_mobilediffusion_drops_the_stages_input() -> None:
    nodes = wiring("1/1")
    assert skips(nodes) == {"up.1.0": 16, "up.0.0": 8}
    assert taken(nodes) == {"down.0.0": 1, "down.1.0": 1}


def test_more_up_blocks_than_skips_run_without() -> None:
    nodes = wiring("1/4")
    assert skips(nodes) == {
        "up.1.0": 16,
        "up.1.1": 8,
        "up.1.2": 0,
        "up.1.3": 0,
        "up.0.0": 8,
        "up.0.1": 8,
        "up.0.2": 0,
        "up.0.3": 0,
    }
    assert all(count == 1 for count in taken(nodes).values())


def test_fewer_up_blocks_leave_the_first_skips() -> None:
    nodes = wiring("3/1")
    assert taken(nodes) == {"down.0.2": 1, "down.1.2": 1}


def test_output_is_two_stages_skip_where_the_resolution_stays() -> None:
    nodes = wiring("1/2", flat=True)
    assert "downsample.0" not in nodes
    assert taken(nodes) == {"conv_in": 1, "down.0.0": 2, "down.1.0": 1}
    assert skips(nodes) == {"up.1.0": 16, "up.1.1": 8, "up.0.0": 8, "up.0.1": 8}
    assert {node.size for node in nodes.values()} == {8}


def test_incoming_channels_and_sizes() -> None:
    nodes = wiring("1/1", stages=3)
    assert list(nodes) == [
        *("conv_in", "down.0.0", "downsample.0", "down.1.0", "downsample.1", "down.2.0"),
        *("up.2.0", "upsample.2", "up.1.0", "upsample.1", "up.0.0", "conv_out"),
    ]
    assert [node.in_channels for node in nodes.values()] == [4, 8, 8, 8, 16, 16, 24, 24, 24, 16, 16, 8]
    assert [node.out_channels for node in nodes.values()] == [8, 8, 8, 16, 16, 24, 24, 24, 16, 16, 8, 4]
    assert [node.size for node in nodes.values()] == [8, 8, 8, 4, 4, 2, 2, 2, 4, 4, 8, 8]
    assert [node.out_size for node in nodes.values()] == [8, 8, 4, 4, 2, 2, 2, 4, 4, 8, 8, 8]


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_a_chain(name: str) -> None:
    nodes = layout(preset(name))
    for before, after in itertools.pairwise(nodes):
        assert (before.out_channels, before.out_size) == (after.in_channels, after.size)
    widths = {node.name: node.out_channels for node in nodes}
    assert all(node.skip_channels == (widths[node.skip_from] if node.skip_from else 0) for node in nodes)


def test_blocks_carry_what_the_spec_says() -> None:
    spec = preset("sdxl")
    nodes = {node.name: node for node in layout(spec)}
    assert [len(nodes[f"down.{stage}.0"].transformers) for stage in range(3)] == [0, 2, 10]
    assert len(nodes["middle.0"].transformers) == 10
    assert nodes["middle.1"].transformers == ()
    separable = replace(spec.stages[0], downsample="separable")
    changed = replace(spec, stages=(separable, *spec.stages[1:]))
    assert {node.name: node.conv for node in layout(changed)}["downsample.0"] == "separable"
