"""Mirrors a study's table to W&B. Handed plain rows; knows no study."""

from archlab.tracking.mirror import Mirror, MirrorMode, NoMirror, open_mirror
from archlab.tracking.rows import MirroredStudy, MirroredTrial

__all__ = ["Mirror", "MirrorMode", "MirroredStudy", "MirroredTrial", "NoMirror", "open_mirror"]
