"""Core ML on a Mac, and on an iPhone plugged into one."""
