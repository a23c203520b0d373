import json

import pytest

from archlab.json_text import json_values, parse_json


def test_json_is_read_as_the_library_reads_it() -> None:
    text = '{"a": [1, -2.5e3, "ä\\n", null, true, {"b": {}}], "c": 123456789012345678901234567890}'
    assert parse_json(text) == json.loads(text)
    assert parse_json(("\ufeff" + text).encode()) == json.loads(text)
    assert list(json_values(f" {text}{text}\n\n[1]\t3 ")) == [json.loads(text)] * 2 + [[1], 3]
    assert list(json_values(" \n")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested more than 100 deep"),
        ("[" * 100_000 + "]" * 100_000, "nested more than 100 deep"),
        ("[" * 200 + "]" * 200, "nested more than 100 deep"),
        ('{"a":' * 150 + "1" + "}" * 150, "nested more than 100 deep"),
        ("[1" + "0" * 400 + "]", "a number of 401 digits"),
        ("[-" + "9" * 100_000 + "]", "a number of 100,001 digits"),
        ("{", "Expecting property name"),
    ],
    ids=["open", "closed", "200", "objects", "1e400", "long", "cut"],
)
def test_depth_and_numbers_have_bounds(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        parse_json(text)
    assert len(str(refused.value)) < 200
    with pytest.raises(ValueError, match=message):
        list(json_values(f"1 {text}"))
