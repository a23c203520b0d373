"""`studies` in the test's own folder."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from archlab.study import Study
from archlab.study.definition import StudyDefinition
from tests.analysis.effects.studies import made_up_study, write_space

Write = Callable[..., StudyDefinition]
Run = Callable[..., Study]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return partial(write_space, tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return partial(made_up_study, tmp_path)
