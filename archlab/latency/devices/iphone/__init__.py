"""Core ML on an iPhone that is plugged into a Mac."""
