"""Captions as contexts and images as latents: what a proxy's UNet reads and draws."""

from archlab.encoders.clip import Clip
from archlab.encoders.contracts import NULL_PROMPT, Codec, Rows, TextEncoder
from archlab.encoders.pixels import Pixels
from archlab.encoders.vae import Vae
from archlab.encoders.words import Words

__all__ = ["NULL_PROMPT", "Clip", "Codec", "Pixels", "Rows", "TextEncoder", "Vae", "Words"]
