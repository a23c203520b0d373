"""A network as a file for a runtime: TFLite, Core ML, parity with torch, where the time goes."""

from archlab.convert.coreml import (
    ATTENTION_FORMS,
    COREML_PRECISIONS,
    CoreMLProgram,
    can_run_coreml,
    run_coreml,
    to_coreml,
    to_coreml_chunks,
)
from archlab.convert.inputs import FlatInputs, example_inputs
from archlab.convert.litert_torch import to_tflite_by_litert_torch
from archlab.convert.onnx import check_onnx, load_onnx, to_onnx
from archlab.convert.parity import (
    PARITY_TOLERANCES,
    Parity,
    parity_of,
    parity_of_all,
    torch_output,
    torch_outputs,
)
from archlab.convert.partitions import unaccelerated_operators
from archlab.convert.profile import OperatorTime, operator_profile
from archlab.convert.tflite import load_tflite, run_tflite, to_tflite

__all__ = [
    "ATTENTION_FORMS",
    "COREML_PRECISIONS",
    "PARITY_TOLERANCES",
    "CoreMLProgram",
    "FlatInputs",
    "OperatorTime",
    "Parity",
    "can_run_coreml",
    "check_onnx",
    "example_inputs",
    "load_onnx",
    "load_tflite",
    "operator_profile",
    "parity_of",
    "parity_of_all",
    "run_coreml",
    "run_tflite",
    "to_coreml",
    "to_coreml_chunks",
    "to_onnx",
    "to_tflite",
    "to_tflite_by_litert_torch",
    "torch_output",
    "torch_outputs",
    "unaccelerated_operators",
]
