"""Diffusion: what a network predicts, the schedule of noise, samplers and guidance."""
