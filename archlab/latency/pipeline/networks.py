"""Text encoders and image decoders as networks to measure."""

from dataclasses import asdict
from importlib.metadata import version

from archlab.architecture import UNetSpec
from archlab.cache import content_hash
from archlab.latency.network import Built, Network
from archlab.latency.pipeline.components import CLIP_L, ENCODERS, ImageDecoder, TextEncoder


def text_networks(spec: UNetSpec) -> list[Network]:
    """The text encoders whose tokens are as wide as the UNet's context.

    Where none is known it is CLIP ViT-L/14, and its name says so.
    """
    assumed = {f"CLIP ViT-L/14 (assumed: none is known of width {spec.context_dim})": CLIP_L}
    encoders = ENCODERS.get(spec.context_dim, assumed)
    return [text_network(name, encoder, spec.context_length) for name, encoder in encoders.items()]


def text_network(name: str, encoder: TextEncoder, length: int) -> Network:
    """The text encoder for prompts of ``length`` tokens."""

    def build(seed: int) -> Built:
        from archlab.latency.pipeline.modules import build_text_encoder

        return build_text_encoder(encoder, length, seed)

    id = content_hash("text encoder", asdict(encoder), length, version("transformers"))
    return Network(id=id, name=name, build=build)


def decoder_network(name: str, decoder: ImageDecoder, latent_channels: int, latent_size: int) -> Network:
    """The image decoder for square latents of that side."""

    def build(seed: int) -> Built:
        from archlab.latency.pipeline.modules import build_image_decoder

        return build_image_decoder(decoder, latent_channels, latent_size, seed)

    id = content_hash("image decoder", asdict(decoder), latent_channels, latent_size, version("diffusers"))
    return Network(id=id, name=name, build=build)
