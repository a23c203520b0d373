"""What libraries say that nobody can act on is dropped, and nothing else of theirs."""

import logging
import warnings

import pytest
from optuna.exceptions import ExperimentalWarning

from archlab.remarks import REMARKS, drop_remarks_of_imports, unheard
from tests.stderr import lines_of_others


def test_a_remark_is_dropped_while_the_block_runs_and_all_else_is_heard() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with unheard("optuna"), unheard("matplotlib"):
            warnings.warn("set_metric_names is experimental", ExperimentalWarning, stacklevel=1)
            warnings.warn("Glyph 29483 missing from font(s) DejaVu Sans.", UserWarning, stacklevel=1)
            warnings.warn("the axes are too small", UserWarning, stacklevel=1)
        warnings.warn("set_metric_names is experimental", ExperimentalWarning, stacklevel=1)
    assert [str(each.message) for each in heard] == ["the axes are too small", "set_metric_names is experimental"]


def test_a_loggers_remark_is_dropped_and_its_level_is_back_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    for is_heard in (False, True):
        caplog.clear()
        if is_heard:
            logger.warning("unsupported")
        else:
            with unheard("fvcore"):
                logger.warning("unsupported")
        assert bool(caplog.records) is is_heard


def test_of_what_is_said_at_imports_that_message_alone_is_dropped(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("torch.utils._pytree")
    monkeypatch.setattr(logger, "filters", [])
    drop_remarks_of_imports()
    logger.warning("%s is an Enum subclass and is now natively supported", "<enum 'Mode'>")
    logger.warning("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]


@pytest.mark.parametrize("library", REMARKS)
def test_every_remark_of_the_list_can_be_dropped(library: str) -> None:
    with unheard(library):  # type: ignore[arg-type]  # its keys
        pass
    assert REMARKS[library].why  # type: ignore[index]


def test_whose_lines_are_whose() -> None:
    ours = "10:26:14 trial 3: quality 0.1, 4 ms\narchlab: no such study\n\nwriting unet.onnx\n"
    theirs = "/lib/python/site-packages/x/y.py:3: FutureWarning: soon\n  gone()\nSome weights were not used\n"
    assert lines_of_others(ours + theirs) == theirs.splitlines()
