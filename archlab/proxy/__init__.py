"""Quality in seconds: an architecture shrunk, trained on captioned images and scored."""
