"""Eager torch on this computer."""
