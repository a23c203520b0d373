"""The front on screens of any width."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from archlab.terminal.front import print_front


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_one_row_a_trial_and_no_number_is_broken(width: int, make_study: Callable[..., Any]) -> None:
    study = make_study()
    picks = {"knee": int(study.front["trial"].iloc[0]), "good_and_fast": int(study.front["trial"].iloc[0])}
    output = io.StringIO()
    print_front(study, picks, Console(file=output, width=width, force_terminal=True, color_system=None))
    lines = output.getvalue().splitlines()
    line = next(place for place, shown in enumerate(lines) if "──" in shown)
    headings, rows = lines[line - 1], lines[line + 1 : -1]
    assert len(rows) == len(study.front)
    assert max(map(len, rows)) <= width
    trial = headings.index("trial") + len("trial")
    assert [int(row[:trial]) for row in rows] == list(study.front["trial"])
    for row, quality in zip(rows, study.front["quality"], strict=True):
        assert f" {quality:.4g} " in row
    assert ("macs_g" in headings) == (width >= 120)


def test_only_what_differs_from_the_baseline_is_named(make_study: Callable[..., Any]) -> None:
    study = make_study()
    output = io.StringIO()
    print_front(study, {}, Console(file=output))
    rows = output.getvalue().splitlines()[-1 - len(study.front) : -1]
    for shown, (_, trial) in zip(rows, study.front.iterrows(), strict=True):
        for knob in study.knobs:
            assert bool(re.search(rf"\b{knob} ", shown)) == (trial[knob] != study.baseline[knob])
