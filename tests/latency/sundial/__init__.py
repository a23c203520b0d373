"""A device that nobody has: all of it is in this folder."""
