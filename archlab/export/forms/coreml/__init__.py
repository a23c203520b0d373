"""The form ``coreml``: packages as Apple's ml-stable-diffusion has them."""

from archlab.export.forms.coreml.writing import COREML, CoreML

__all__ = ["COREML", "CoreML"]
