"""A network as a Core ML package: its graph as a program of coremltools' intermediate language (MIL)."""

from archlab.convert.coreml.interpreter import CoreMLProgram
from archlab.convert.coreml.package import (
    ATTENTION_FORMS,
    COREML_PRECISIONS,
    can_run_coreml,
    run_coreml,
    to_coreml,
    to_coreml_chunks,
)
from archlab.convert.coreml.required import require_coremltools

__all__ = [
    "ATTENTION_FORMS",
    "COREML_PRECISIONS",
    "CoreMLProgram",
    "can_run_coreml",
    "require_coremltools",
    "run_coreml",
    "to_coreml",
    "to_coreml_chunks",
]
