"""Trained weights of an architecture, with everything that draws from them: a folder that plain diffusers loads."""

from archlab.model.controls.load import load_control
from archlab.model.load import load_model
from archlab.model.model import Model

__all__ = ["Model", "load_control", "load_model"]
