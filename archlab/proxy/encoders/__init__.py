"""Captions as contexts and images as latents: what a proxy's UNet reads and draws."""

from archlab.proxy.encoders.clip import Clip
from archlab.proxy.encoders.contracts import NULL_PROMPT, Codec, Rows, TextEncoder
from archlab.proxy.encoders.pixels import Pixels
from archlab.proxy.encoders.vae import Vae
from archlab.proxy.encoders.words import Words

__all__ = ["NULL_PROMPT", "Clip", "Codec", "Pixels", "Rows", "TextEncoder", "Vae", "Words"]
