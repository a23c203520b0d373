"""Captioned images through one door, wherever they come from."""

from archlab.proxy.data.captioned import CaptionedImages, Origin
from archlab.proxy.data.found import in_words
from archlab.proxy.data.inspection import Inspection, draw_overview, inspect
from archlab.proxy.data.load import load_data

__all__ = ["CaptionedImages", "Inspection", "Origin", "draw_overview", "in_words", "inspect", "load_data"]
