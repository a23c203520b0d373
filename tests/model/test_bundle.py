"""One file from the modules of a package."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from archlab.errors import RunFailed
from archlab.model.bundle import Definition, bundle

PARTS = """
    import math
    from nowhere import other

    RATE = 3

    def used(x):
        return math.sqrt(x) * RATE

    def unused(x):
        return other(x)

    class Part:
        rate: int = RATE

        def asked(self):  # noqa: PLR0915
            return self._within()

        def _within(self):
            return used(4)

        def idle(self):
            return unused(2)
"""
TOP = """
    from {package}.parts import Part

    def slow(x):
        return other_name(x)

    def quick(x):
        return 10 * x

    class Root:
        def never_called_here(self):
            return Part().asked() + slow(1)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """One of a name of its own: sources are read once."""
    name = f"package_{abs(hash(request.node.name))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "parts.py").write_text(dedent(PARTS))
    (tmp_path / name / "top.py").write_text(dedent(TOP).format(package=name))
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_all_that_is_needed_comes_along_and_nothing_else(package: str) -> None:
    top = f"{package}.top"
    text = bundle(Definition(top, "Root"), {Definition(top, "slow"): Definition(top, "quick")})
    for absent in ("nowhere", "unused", "idle", "noqa", "other_name", package + "."):
        assert absent not in text
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["Root"]().never_called_here() == 2 * 3 + 10 * 1
    assert text == bundle(Definition(top, "Root"), {Definition(top, "slow"): Definition(top, "quick")})


def test_two_definitions_of_one_name_are_refused(package: str, tmp_path: Path) -> None:
    with (tmp_path / package / "top.py").open("a") as file:
        file.write("\ndef used(x):\n    return Root, x\n")
    (tmp_path / package / "both.py").write_text(
        f"from {package}.top import used, Root\n\ndef all():\n    return used, Root().never_called_here\n"
    )
    with pytest.raises(RunFailed, match="the name used is defined in another module as well"):
        bundle(Definition(f"{package}.both", "all"), {})
