"""Core ML packages run by torch, on any system."""

from archlab.convert.coreml.interpreter.program import CoreMLProgram

__all__ = ["CoreMLProgram"]
