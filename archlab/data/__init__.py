"""Captioned images from every source, resized, captioned and split."""
