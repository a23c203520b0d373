from dataclasses import replace

from archlab.architecture import AddedConditioning, Block, Transformer, UNetSpec, diff, preset


def test_equal_specs_do_not_differ(small: UNetSpec) -> None:
    assert diff(small, small) == []
    assert diff(preset("sdxl"), preset("sdxl")) == []


def test_a_changed_attribute_is_named_by_its_place(small: UNetSpec) -> None:
    first, second = small.stages
    separable = replace(second, down=(replace(second.down[0], conv="separable"),))
    after = replace(small, sample_size=16, stages=(first, separable))
    assert diff(small, after) == [
        ("sample_size", 8, 16),
        ("stages[1].down[0].conv", "standard", "separable"),
    ]
    assert diff(after, small) == [
        ("sample_size", 16, 8),
        ("stages[1].down[0].conv", "separable", "standard"),
    ]


def test_what_one_side_lacks_is_none(small: UNetSpec) -> None:
    after = replace(small, middle=(small.middle[0],), added=AddedConditioning(text_dim=8))
    differences = {difference.where: (difference.before, difference.after) for difference in diff(small, after)}
    assert differences == {
        "middle[1]": ({"conv": "standard", "transformers": ()}, None),
        "added": (None, {"text_dim": 8, "time_ids": 6, "time_dim": 256}),
    }


def test_a_removed_transformer_is_named(small: UNetSpec) -> None:
    after = replace(small, middle=(Block(), small.middle[1]))
    (difference,) = diff(small, after)
    assert difference.where == "middle[0].transformers[0]"
    assert difference.before["heads"] == 4
    assert difference.after is None


def test_heads_in_every_place() -> None:
    sd15, sd21 = preset("sd15"), preset("sd21")
    differences = diff(sd15, sd21)
    # 3 stages × (2 + 3) transformers and one in the middle, and the context's width.
    assert sum(difference.where.endswith(".heads") for difference in differences) == 16
    assert [d for d in differences if not d.where.endswith(".heads")] == [("context_dim", 768, 1024)]
    assert Transformer(heads=8) == sd15.middle[0].transformers[0]
