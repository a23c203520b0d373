"""Where surgery does not fit a library, that is said in one line, and the library's public way gives the same."""

import pytest
import torch

from archlab.surgery.forkserver import close_server_handle
from archlab.surgery.litert_operators import operators
from archlab.surgery.pillow_blocks import free_at_once
from archlab.surgery.torch_lerp import lerp_all
from archlab.surgery.torch_softmax import by_formula, softmax_backward


@pytest.mark.parametrize("dim", [1, 2])
def test_the_gradient_of_softmax_is_that_of_autograd(dim: int) -> None:
    scores = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    weights, upstream = scores.softmax(dim), torch.randn(3, 4, 5, dtype=torch.float64)
    (expected,) = torch.autograd.grad(weights, scores, upstream)
    for way in (softmax_backward, by_formula):
        torch.testing.assert_close(way(upstream.clone(), weights.detach(), dim), expected)


def test_a_moving_average_without_torchs_kernel(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    averages, values = [torch.zeros(3), torch.ones(2, 2)], [torch.ones(3), torch.zeros(2, 2)]
    expected = [average.clone() for average in averages]
    lerp_all(expected, values, 0.25)
    monkeypatch.delattr(torch, "_foreach_lerp_")
    lerp_all(averages, values, 0.25)
    torch.testing.assert_close(averages, expected)
    assert f"archlab: torch {torch.__version__} is not as 2.11 to 2.13 was" in capfd.readouterr().err


def test_pillow_that_has_no_blocks(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    free_at_once()
    assert capfd.readouterr().err == ""
    monkeypatch.setattr("PIL.Image.core", object())
    free_at_once()
    assert "threads keep the memory of the largest images they decoded" in capfd.readouterr().err


def test_an_interpreter_that_does_not_tell_its_operators(capfd: pytest.CaptureFixture[str]) -> None:
    assert operators(object()) is None
    assert "it stays unknown which operators XNNPACK takes" in capfd.readouterr().err


def test_a_server_of_processes_without_its_handle(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr("multiprocessing.forkserver._forkserver")
    close_server_handle()
    assert "workers that stand still when their driver is killed must be ended by hand" in capfd.readouterr().err
