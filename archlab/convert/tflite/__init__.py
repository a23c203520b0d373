"""A network as a TFLite file, written from its graph."""

from archlab.convert.tflite.file import load_tflite, run_tflite, to_tflite
from archlab.convert.tflite.weights import PRECISIONS

__all__ = ["PRECISIONS", "load_tflite", "run_tflite", "to_tflite"]
