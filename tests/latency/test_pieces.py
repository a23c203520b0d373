"""What decides a network decides the keys of its pieces: no attribute can be forgotten."""

from collections.abc import Callable
from dataclasses import Field, fields, replace
from typing import Any, get_args, get_type_hints

import pytest

from archlab.architecture import AddedConditioning, Block, Stage, Transformer, UNetSpec, map_blocks, map_transformers
from archlab.architecture.presets import stable_diffusion
from archlab.evaluation.fact import from_json, to_json
from archlab.latency.table.pieces import Piece, pieces

Change = Callable[[UNetSpec], UNetSpec]
BASE = replace(
    stable_diffusion(channels=(16, 32), depths=(1, 1), heads=(2, 4), down=1, up=2, norm_groups=4),
    sample_size=16,
    added=AddedConditioning(),
)


def of_stages(change: Callable[[Stage], Stage]) -> Change:
    return lambda spec: replace(spec, stages=tuple(map(change, spec.stages)))


def of_transformers(**changes: Any) -> Change:
    return lambda spec: map_transformers(spec, lambda transformer, _: replace(transformer, **changes))


def of_attribute(part: type, attribute: "Field[Any]") -> Change:
    """Another value than the default, of the attribute's type: a word, a whole number, the other truth."""
    kind = get_type_hints(part)[attribute.name]
    words = [word for word in get_args(kind) if isinstance(word, str) and word != attribute.default]
    value = words[0] if words else 1 if int in get_args(kind) else not attribute.default
    return (of_transformers if part is Transformer else of_spec)(**{attribute.name: value})


def of_added(**changes: Any) -> Change:
    return lambda spec: replace(spec, added=replace(spec.added or AddedConditioning(), **changes))


def of_spec(**changes: Any) -> Change:
    return lambda spec: replace(spec, **changes)


def of_joint(**changes: Any) -> Change:
    """Of both stages where they meet."""
    return lambda spec: replace(
        spec,
        stages=(
            replace(spec.stages[0], downsample=changes["downsample"]),
            replace(spec.stages[1], upsample=changes["upsample"]),
        ),
    )


CHANGES: dict[type, dict[str, Change]] = {
    Transformer: {
        "self_attention": of_transformers(self_attention=False),
        "cross_attention": of_transformers(cross_attention=False),
        "heads": of_transformers(heads=1),
        "ff_ratio": of_transformers(ff_ratio=4),
    },
    Block: {
        "conv": lambda spec: map_blocks(spec, lambda block, _: replace(block, conv="separable")),
        "transformers": lambda spec: map_blocks(spec, lambda block, _: replace(block, transformers=())),
    },
    Stage: {
        "channels": lambda spec: spec.with_channels((32, 32)),
        "down": of_stages(lambda stage: replace(stage, down=stage.down * 2)),
        "up": of_stages(lambda stage: replace(stage, up=stage.up[:1])),
        "downsample": of_joint(downsample="separable", upsample="standard"),
        "upsample": of_joint(downsample="standard", upsample="separable"),
    },
    AddedConditioning: {
        "text_dim": of_added(text_dim=640),
        "time_ids": of_added(time_ids=4),
        "time_dim": of_added(time_dim=128),
    },
    UNetSpec: {
        "sample_size": of_spec(sample_size=32),
        "stages": of_stages(lambda stage: replace(stage, down=stage.down * 2)),
        "middle": of_spec(middle=()),
        "in_channels": of_spec(in_channels=8),
        "out_channels": of_spec(out_channels=8),
        "context_dim": of_spec(context_dim=96),
        "context_length": of_spec(context_length=32),
        "norm_groups": of_spec(norm_groups=8),
        "added": of_spec(added=None),
        "guidance_dim": of_spec(guidance_dim=32),
        "conv_expansion": lambda spec: replace(
            map_blocks(spec, lambda block, _: replace(block, conv="separable_expanded")), conv_expansion=3
        ),
    },
}
for part in (Transformer, UNetSpec):  # an attribute that comes later is tried without being named here
    CHANGES[part] |= {each.name: of_attribute(part, each) for each in fields(part) if each.name not in CHANGES[part]}


@pytest.mark.parametrize("part", CHANGES)
def test_every_attribute_is_tried(part: type) -> None:
    assert set(CHANGES[part]) == {attribute.name for attribute in fields(part)}


@pytest.mark.parametrize(
    ("part", "attribute"), [(part, attribute) for part, changes in CHANGES.items() for attribute in changes]
)
def test_an_attribute_that_changes_the_network_changes_its_pieces(part: type, attribute: str) -> None:
    changed = CHANGES[part][attribute](BASE)
    assert changed.deployed.id != BASE.deployed.id
    assert [piece.id for piece in pieces(changed)] != [piece.id for piece in pieces(BASE)]
    assert pieces(changed) != pieces(BASE)


def test_pieces_are_read_as_they_were_written() -> None:
    for piece in pieces(BASE):
        again = from_json(Piece, to_json(piece), "here")
        assert again == piece
        assert (again.id, hash(again)) == (piece.id, hash(piece))


def test_equal_parts_of_different_networks_share_their_pieces() -> None:
    """Neither a name nor what lies elsewhere in the network keeps a timing from being shared."""
    fewer = replace(BASE, stages=(replace(BASE.stages[0], up=BASE.stages[0].up[:1]), BASE.stages[1]))
    assert set(pieces(fewer)) <= set(pieces(BASE))
    finetuned = of_transformers(attention_normalizer="softmax->relu")(BASE)
    assert pieces(finetuned) == pieces(of_transformers(attention_normalizer="relu")(BASE))
