"""Train a LoRA of a model: it can be stopped and taken up at any step, and leaves a folder that diffusers takes."""

from archlab.model.lora.settings import LoraSettings
from archlab.model.lora.training import train_lora

__all__ = ["LoraSettings", "train_lora"]
