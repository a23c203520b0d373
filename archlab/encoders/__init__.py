"""Captions as contexts and images as latents: what a UNet reads and draws."""
