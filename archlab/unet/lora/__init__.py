"""LoRA: a small file that changes what a UNet answers; read and written in the forms of others, fused, learnt."""

from archlab.unet.lora.files import read_lora, write_lora
from archlab.unet.lora.lora import Factors, Lora, fused

__all__ = ["Factors", "Lora", "fused", "read_lora", "write_lora"]
