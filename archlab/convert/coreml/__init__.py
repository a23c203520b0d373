"""A network as a Core ML package: its graph as a program of coremltools' intermediate language (MIL)."""

from archlab.convert.coreml.package import ATTENTION_FORMS, can_run_coreml, run_coreml, to_coreml

__all__ = ["ATTENTION_FORMS", "can_run_coreml", "run_coreml", "to_coreml"]
