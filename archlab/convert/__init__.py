"""A UNet as a file for a runtime: the device form, TFLite, Core ML, and parity with torch."""

from archlab.convert.coreml import can_run_coreml, run_coreml, to_coreml
from archlab.convert.device_form import device_form
from archlab.convert.inputs import FlatInputs, example_inputs
from archlab.convert.parity import Parity, compare, torch_output
from archlab.convert.tflite import run_tflite, to_tflite

__all__ = [
    "FlatInputs",
    "Parity",
    "can_run_coreml",
    "compare",
    "device_form",
    "example_inputs",
    "run_coreml",
    "run_tflite",
    "to_coreml",
    "to_tflite",
    "torch_output",
]
