"""A network as a TFLite file, written from its graph."""

from archlab.convert.tflite.file import run_tflite, to_tflite
from archlab.convert.tflite.weights import PRECISIONS

__all__ = ["PRECISIONS", "run_tflite", "to_tflite"]
