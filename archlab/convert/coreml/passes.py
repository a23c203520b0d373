"""How coremltools simplifies a program and brings it into its precision."""

from typing import Any

import coremltools

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


def pass_pipeline() -> Any:
    """Those of coremltools' passes that change something here; checking the program after the others takes as long."""
    return coremltools.PassPipeline([f"common::{name}" for name in _PASSES], "archlab")


def compute_precision(precision: str) -> Any:
    """``fp32``, or ``fp16`` but for the sinusoids of time steps: float16 has angles above 512 to the nearest half."""
    if precision == "fp32":
        return coremltools.precision.FLOAT32
    return coremltools.transform.FP16ComputePrecision(op_selector=lambda operation: not _is_of_angles(operation))


def _is_of_angles(operation: Any) -> bool:
    """A sine or a cosine, or what only they use."""
    if operation.op_type in ("sin", "cos"):
        return True
    if operation.op_type not in ("mul", "reshape", "tile"):
        return False
    uses = operation.outputs[0].child_ops
    return bool(uses) and all(_is_of_angles(use) for use in uses)
