"""The constraints of the workflow's job with the oldest dependencies are the bounds of pyproject.toml."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[1]


def test_constraints_are_the_lower_bounds() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {}
    for requirement in map(Requirement, project["dependencies"]):
        (bounds[requirement.name],) = (s.version for s in requirement.specifier if s.operator == ">=")
    lines = (REPOSITORY / "tests" / "lower-bounds.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins == bounds
