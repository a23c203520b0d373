from collections.abc import Callable
from pathlib import Path

import pytest

from archlab.convert import operator_profile
from archlab.errors import RunFailed

pytest.importorskip("ai_edge_litert")


def test_profile_has_every_kernel_the_dearest_first(tflite_file: Callable[[str], Path]) -> None:
    rows = operator_profile(tflite_file("baseline"))
    calls = {row.name: row.calls for row in rows}
    # 5 transformers of a self- and a cross-attention: two products and one softmax each
    assert (calls["Batch Matrix Multiply (NC, F32) GEMM"], calls["Softmax (NC, F32)"]) == (20, 10)
    assert [row.ms for row in rows] == sorted((row.ms for row in rows), reverse=True)
    assert sum(row.ms for row in rows) > 0


def test_file_that_cannot_be_profiled_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_text("not a model")
    with pytest.raises(RunFailed, match=r"model\.tflite: cannot be profiled: .*LiteRtCreateModelFromFile") as failure:
        operator_profile(tmp_path / "model.tflite")
    assert "\n" not in str(failure.value)
