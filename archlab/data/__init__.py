"""Captioned images through one door, wherever they come from."""

from archlab.data.captioned import CaptionedImages, Origin
from archlab.data.inspection import Inspection, draw_overview, inspect
from archlab.data.load import load_data
from archlab.data.pairs import in_words

__all__ = ["CaptionedImages", "Inspection", "Origin", "draw_overview", "in_words", "inspect", "load_data"]
