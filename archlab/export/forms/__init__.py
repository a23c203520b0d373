"""Forms in which networks are exported, by name. A further form is a file here and a line below."""

from typing import TYPE_CHECKING

from archlab.registry import Registry

if TYPE_CHECKING:
    from archlab.export.forms.form import Form

FORMS: "Registry[Form]" = Registry(
    {
        "tflite": "archlab.export.forms.tflite:TFLITE",
        "coreml": "archlab.export.forms.coreml:COREML",
        "onnx": "archlab.export.forms.onnx:ONNX",
        "diffusers": "archlab.export.forms.diffusers:DIFFUSERS",
    }
)
