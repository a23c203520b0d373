"""How coremltools simplifies a program and brings it into its precision."""

from collections.abc import Callable
from typing import Any

import coremltools
from coremltools.converters.mil.mil import types

from archlab.convert.coreml.weights import compression

_CLEANUP = ("const_elimination", "dead_code_elimination", "cast_optimization", "dead_code_elimination")
_PASSES = (
    "dead_code_elimination",
    "const_elimination",
    "noop_elimination",
    "const_deduplication",
    "fuse_conv_scale",
    "merge_consecutive_reshapes",
    "merge_consecutive_transposes",
    "fuse_transpose_matmul",
    "reduce_transposes",
    "remove_redundant_ops",
    "dedup_op_and_var_names",
    "add_fp16_cast",
    "add_int16_cast",
    "guard_negative_gather_indices",
    *_CLEANUP,
    "const_deduplication",
    "topological_reorder",
    "dead_code_elimination",
)


def pass_pipeline(precision: str) -> Any:
    """Those of coremltools' passes that change something here; checking the program after the others takes as long.

    The last stores the weights in fewer bits, where the precision asks for it.
    """
    further = compression(precision)
    pipeline = coremltools.PassPipeline([*(f"common::{name}" for name in _PASSES), *further], "archlab")
    for name, config in further.items():
        pipeline.set_options(name, {"config": config})
    return pipeline


def compute_precision(precision: str) -> Any:
    """``fp32``, or ``fp16`` but for two things.

    Sinusoids of time steps: float16 has angles above 512 to the nearest half. And arithmetic that only a float32
    output needs: the network's prediction turned into ε, which a scheduler will divide by a small α.
    """
    if precision == "fp32":
        return coremltools.precision.FLOAT32
    return coremltools.transform.FP16ComputePrecision(
        op_selector=lambda operation: not (_is_of_angles(operation) or _is_of_exact_outputs(operation))
    )


def _is_of_angles(operation: Any) -> bool:
    """A sine or a cosine, or what only they use."""
    if operation.op_type in ("sin", "cos"):
        return True
    return operation.op_type in ("mul", "reshape", "tile") and _only_used_by(operation, _is_of_angles)


def _is_of_exact_outputs(operation: Any) -> bool:
    """Arithmetic whose results are float32 outputs, or used by such alone."""
    if operation.op_type not in ("add", "sub", "mul", "real_div", "reshape", "gather", "cast"):
        return False
    (result,) = operation.outputs
    if result in operation.enclosing_block.outputs:
        return bool(result.dtype == types.fp32)
    return _only_used_by(operation, _is_of_exact_outputs)


def _only_used_by(operation: Any, kind: Callable[[Any], bool]) -> bool:
    uses = operation.outputs[0].child_ops
    return bool(uses) and all(kind(use) for use in uses)
