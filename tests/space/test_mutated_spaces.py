"""Damaged copies of the shipped YAMLs either load and give architectures, or are refused in one line."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from archlab.errors import BadInput
from archlab.study.definition import load_definition

SHIPPED = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))
MUTATIONS = 150

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3.5, 1e308, -0.0, float("nan"), float("inf"), -float("inf"), 10**30),
    *("", "sd", "all", "2/3", "50%", "-1%", "tiny", "x" * 300, "größer", "stage>=0", "\x00", "../tiny.yaml"),
    *([], [[]], [None], [1, 2], ["sd", "sd"], [[1, 1, 1, 1]], {}, {"low": 1, "high": 2}, {"choices": []}),
    *({"choices": [1], "when": {"conv": "standard"}}, {"when": {}}, {1: 2}, {"max": 1}),
]
FRAGMENTS = [
    *(
        ":",
        "{",
        "}",
        "[",
        "]",
        ",",
        "- ",
        "\n",
        "  ",
        "\t",
        "#",
        "'",
        '"',
        "&a ",
        "*a",
        "!!int ",
        "!!bool ",
        "? ",
        "%",
        "|",
        ">",
    ),
    *("<<: ", ".nan", ".inf", "null", "~", "0x1F", "1e9", "2024-02-31", "!!binary ", "---\n", "é", "\x00", "\ufeff"),
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_damaged_text(path: Path, tmp_path: Path) -> None:
    good = path.read_text(encoding="utf-8")
    source = random.Random(0)
    _assert_loads_or_is_refused([_damage(good, source) for _ in range(MUTATIONS)], tmp_path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_replaced_values(path: Path, tmp_path: Path) -> None:
    good = yaml.safe_load(path.read_text(encoding="utf-8"))
    source = random.Random(1)
    texts = []
    for _ in range(MUTATIONS):
        data = yaml.safe_load(yaml.safe_dump(good))
        place, key = source.choice(list(_places(data)))
        place[key] = source.choice(VALUES)
        texts.append(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
    _assert_loads_or_is_refused(texts, tmp_path)


def _assert_loads_or_is_refused(texts: list[str], folder: Path) -> None:
    loaded, refused, wrong = 0, 0, []
    for number, text in enumerate(texts):
        path = folder / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            definition = load_definition(path)
            definition.space.sample(0)
            loaded += 1
        except BadInput as error:
            refused += 1
            if "\n" in str(error):
                wrong.append(f"more than one line: {error!r}")
        except Exception as error:  # the test is that there is none
            wrong.append(f"{type(error).__name__}: {error} for\n{text}")
    assert not wrong, f"{len(wrong)} of {len(texts)}; the first: {wrong[0]}"
    assert loaded > 0
    assert refused > 20


def _damage(text: str, source: random.Random) -> str:
    for _ in range(source.randint(1, 3)):
        at = source.randrange(len(text))
        kind = source.randrange(4)
        if kind == 0:
            text = text[:at] + source.choice(FRAGMENTS) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + source.randint(1, 12) :]
        elif kind == 2:
            lines = text.splitlines(keepends=True)
            line = source.randrange(len(lines))
            lines[line : line + 1] = [] if source.random() < 0.5 else [lines[line]] * 2
            text = "".join(lines)
        else:
            words = text.split(" ")
            first, second = source.randrange(len(words)), source.randrange(len(words))
            words[first] = words[second]
            text = " ".join(words)
    return text


def _places(data: Any) -> Any:
    """Every (container, key or index) below ``data``."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(items):
        yield data, key
        yield from _places(value)
