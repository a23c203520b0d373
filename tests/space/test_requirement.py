import pytest

from archlab.errors import BadInput
from archlab.space.requirement import Requirement

KNOBS = ("conv", "ff_ratio", "transformers")
VALUES = {"conv": "separable", "ff_ratio": 6, "transformers": "0 1 1 0 4"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("conv == 'separable'", True),
        ("conv != 'separable'", False),
        ("not (conv == 'separable' and ff_ratio > 6)", True),
        ("ff_ratio >= 6 and ff_ratio < 7", True),
        ("4 < ff_ratio <= 6", True),
        ("ff_ratio in [4, 8] or conv == 'standard'", False),
        ("ff_ratio not in (4, 8)", True),
        ("conv in {'standard', 'separable'}", True),
        ("2 * ff_ratio - 1 == 11", True),
        ("ff_ratio / 4 == 1.5", True),
        ("ff_ratio % 4 == 2 and -ff_ratio < 0", True),
        ("transformers == '0 1 1 0 4'", True),
        ("ff_ratio == 4 if conv == 'standard' else ff_ratio == 6", True),
        ("  True ", True),
        ("ff_ratio - 6", False),
    ],
)
def test_expressions(text: str, holds: bool) -> None:
    assert Requirement(text, KNOBS).holds(VALUES) is holds


def test_names_are_the_knobs_it_speaks_of() -> None:
    assert Requirement("conv == 'separable' or ff_ratio > 4", KNOBS).names == {"conv", "ff_ratio"}
    assert Requirement("1 == 1", KNOBS).names == set()


@pytest.mark.parametrize(
    "text",
    [
        "open('x')",
        "9 ** 9 ** 9 > 1",
        "__import__('os').system('true')",
        "conv.upper() == 'A'",
        "conv.__class__ == 1",
        "().__class__.__bases__[0].__subclasses__()",
        "[conv for conv in 'ab']",
        "{conv for conv in 'ab'}",
        "{conv: 1 for conv in 'ab'}",
        "any(True for conv in 'ab')",
        "lambda: conv",
        "(lambda: conv)()",
        "f'{conv.__class__}' == ''",
        "(conv := 'standard') == 'standard'",
    ],
)
def test_calls_attributes_and_loops_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"is not allowed in|is not a knob"):
        Requirement(text, KNOBS)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "conv ==", "conv = 'a'", "conv; conv", "import os", "x'", "(", "((" * 300, "conv == 'a' conv", "\x00"],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(BadInput, match="not an expression"):
        Requirement(text, KNOBS)


def test_deeply_nested_expression_is_refused() -> None:
    with pytest.raises(BadInput):
        Requirement("not " * 5000 + "conv", KNOBS).holds(VALUES)


def test_name_that_is_no_knob() -> None:
    with pytest.raises(BadInput, match="'con' is not a knob of this space; did you mean 'conv'"):
        Requirement("con == 'standard'", KNOBS)
    with pytest.raises(BadInput, match="valid: conv, ff_ratio, transformers"):
        Requirement("os", KNOBS)


@pytest.mark.parametrize(
    "text",
    [
        "ff_ratio > 'a'",
        "conv > 1",
        "ff_ratio / 0 > 1",
        "conv[99] == 'a'",
        "ff_ratio[0]",
        "'a' * 1000000000 == conv",
        "-conv",
        "1 << -1 > 0",
        "{'a': 1}['b']",
        "{**1}",
        "{[]: 1}",
        "'%d' % conv == '1'",
        "(yield) == 1",
    ],
)
def test_what_cannot_be_evaluated_says_so(text: str) -> None:
    with pytest.raises(BadInput, match="cannot be evaluated"):
        Requirement(text, KNOBS).holds(VALUES)


def test_knob_that_no_value_describes_is_none() -> None:
    assert Requirement("ff_ratio == 6", KNOBS).holds(VALUES | {"ff_ratio": None}) is False
    with pytest.raises(BadInput, match="cannot be evaluated"):
        Requirement("ff_ratio > 6", KNOBS).holds(VALUES | {"ff_ratio": None})
