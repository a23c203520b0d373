"""Training: the loop, averaged weights, and the lessons that a network learns from."""
