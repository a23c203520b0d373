"""TFLite's form of every operator of a graph, in operators that XNNPACK takes."""

from archlab.convert.tflite.forms import elementwise, movement, norms, products
from archlab.convert.tflite.forms.form import Form

FORMS: dict[str, Form] = {**elementwise.FORMS, **movement.FORMS, **norms.FORMS, **products.FORMS}

__all__ = ["FORMS", "Form"]
