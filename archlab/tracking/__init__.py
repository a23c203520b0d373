"""Mirrors a study's table to W&B."""

from archlab.tracking.mirror import Mirror, MirrorMode, NoMirror, open_mirror
from archlab.tracking.rows import CurvePoint, MirroredStudy, MirroredTrial

__all__ = ["CurvePoint", "Mirror", "MirrorMode", "MirroredStudy", "MirroredTrial", "NoMirror", "open_mirror"]
