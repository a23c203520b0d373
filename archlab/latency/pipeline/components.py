"""What an image takes besides the UNet: text encoders and image decoders, as plain data."""

from dataclasses import dataclass

IMAGE_SCALE = 8  # pixels of the image for one of the latent, along a side: three doublings


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """A CLIP text model as Hugging Face's transformers builds it.

    Attributes:
        width, layers, heads: of its transformer; the feed-forward is four times as wide.
        activation: transformers' name of it.
        hidden_state: the layer, counted from the end, whose tokens are the context; -1 has the final norm.
        pooled: whether the text's embedding, as wide, is needed too, which SDXL adds to the timestep's.
    """

    width: int
    layers: int
    heads: int
    activation: str = "gelu"
    hidden_state: int = -1
    pooled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDecoder:
    """The decoder of diffusers' ``AutoencoderKL``.

    Attributes:
        channels: of its four stages, from the image's resolution to the latent's.
        res_blocks: in each stage.
        norm_groups: of every GroupNorm.
    """

    channels: tuple[int, int, int, int]
    res_blocks: int
    norm_groups: int = 32


CLIP_L = TextEncoder(width=768, layers=12, heads=12, activation="quick_gelu")
OPENCLIP_H = TextEncoder(width=1024, layers=23, heads=16)  # of 24: SD 2 leaves out the last
CLIP_L_OF_SDXL = TextEncoder(width=768, layers=12, heads=12, activation="quick_gelu", hidden_state=-2)
OPENCLIP_BIGG = TextEncoder(width=1280, layers=32, heads=20, hidden_state=-2, pooled=True)

ENCODERS = {  # by the width of the UNet's context, as in the published folders of SD 1, SD 2, SDXL's refiner and SDXL
    768: {"CLIP ViT-L/14": CLIP_L},
    1024: {"OpenCLIP ViT-H/14": OPENCLIP_H},
    1280: {"OpenCLIP ViT-bigG/14": OPENCLIP_BIGG},
    2048: {"CLIP ViT-L/14": CLIP_L_OF_SDXL, "OpenCLIP ViT-bigG/14": OPENCLIP_BIGG},
}
DECODERS = {
    "sd": ImageDecoder(channels=(128, 256, 512, 512), res_blocks=3),
    # MobileDiffusion's has 9.8 M parameters and is not described further; this reconstruction has 9.7 M
    "small": ImageDecoder(channels=(64, 128, 256, 256), res_blocks=2),
}
