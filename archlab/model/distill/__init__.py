"""Distil a model to few steps: a chain of lessons, each the next one's teacher."""

from archlab.model.distill.distill import distill_model
from archlab.model.distill.settings import DistillSettings

__all__ = ["DistillSettings", "distill_model"]
