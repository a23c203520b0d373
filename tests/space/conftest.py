"""Spaces written on the spot."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from archlab.errors import BadInput
from archlab.study.definition import StudyDefinition, load_definition

Write = Callable[..., StudyDefinition]
Refuse = Callable[[str | bytes], str]

# Lines 1, 2 and 3; what a test adds is line 4.
GOOD = "baseline: tiny\nknobs: {conv: [standard, separable], ff_ratio: [4, 8]}\nproxy: {data: digits}\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Load a space with these knobs (as YAML text) on a baseline; other sections by keyword."""

    def load(knobs: str, baseline: str = "tiny", **sections: object) -> StudyDefinition:
        data = {"baseline": baseline, "knobs": yaml.safe_load(knobs), "proxy": {"data": "digits"}, **sections}
        path = tmp_path / "space.yaml"
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return load_definition(path)

    return load


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """The one-line message about a space YAML, without the file's name: ``3:5: knobs.conv: …``."""

    def message(content: str | bytes) -> str:
        path = tmp_path / "a space – größer.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(BadInput) as caught:
            load_definition(path)
        text = str(caught.value)
        assert "\n" not in text
        assert text.startswith(f"{path}:")
        return text.removeprefix(f"{path}:").strip()

    return message
