"""Eight Gaussians on a ring, whose score is exact: a short version of benchmarks/few_steps.py."""

import pytest
import torch

from benchmarks import few_steps as ring

NOISE = torch.randn((1000, 2, 1, 1), generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
def test_one_step_ends_near_where_the_exact_flow_does() -> None:
    exact = ring.draw(ring.Exact(), NOISE, 256)
    student = ring.draw(ring.progressive_student(250), NOISE, 1)
    assert ring.apart(ring.draw(ring.Exact(), NOISE, 1), exact) > 0.9  # the mean of all modes
    assert ring.apart(student, exact) < 0.25
    assert ring.modes(student) == ring.MODES


@pytest.mark.slow
def test_dmd2_keeps_all_modes() -> None:
    drawn = ring.draw(ring.dmd2_student(600), NOISE, 1)
    real = ring.Ring().points(1000, torch.Generator().manual_seed(2))
    assert ring.modes(drawn) == ring.MODES
    assert ring.energy_distance(drawn, real) < 0.05  # of the mean of all modes: 0.7
