"""Mirrors a study's table to W&B. Handed plain rows; knows no study."""

from archlab.tracking.mirror import Mirror, MirrorMode, NoMirror, open_mirror

__all__ = ["Mirror", "MirrorMode", "NoMirror", "open_mirror"]
