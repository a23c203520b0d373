"""A UNet with a LoRA that learns, by peft's layers."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from archlab.errors import BadInput, require, shown
from archlab.unet.lora.lora import Factors
from archlab.unet.unet import UNet

_NAME = "default"  # peft's, of the adapter


def with_adapter(unet: UNet, targets: str, rank: int, alpha: float, seed: int) -> UNet:
    """A copy of which only a fresh LoRA learns: B is 0, so that it answers what the UNet answers.

    Args:
        targets: a regular expression for whole names of layers.
        seed: of A.

    Raises:
        BadInput: no layer is of that name, or one that can have no LoRA.
        MissingExtra: peft is not installed.
    """
    layers = target_layers(unet, targets)
    peft: Any = require("peft", "training a LoRA", "lora")
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules="|".join(map(re.escape, layers)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted: UNet = peft.inject_adapter_in_model(config, copy.deepcopy(unet), _NAME)
    return adapted


def factors_of(network: nn.Module) -> dict[str, Factors]:
    """Of each layer that `with_adapter` gave a LoRA, on the CPU, B scaled by alpha / r."""
    return {
        name: Factors(
            module.lora_A[_NAME].weight.detach().cpu().clone(),
            module.scaling[_NAME] * module.lora_B[_NAME].weight.detach().cpu(),
        )
        for name, module in _adapted_layers(network)
    }


def target_layers(unet: nn.Module, targets: str) -> list[str]:
    """The names of the linear layers and convolutions that the regular expression matches.

    Raises:
        BadInput: it matches none, or a depthwise convolution.
    """
    possible = {name: module for name, module in unet.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    layers = [name for name in possible if re.fullmatch(targets, name)]
    if not layers:
        like = next((name for name in possible if "attention" in name), next(iter(possible)))
        raise BadInput(f"targets: {shown(targets)} is the name of no layer; names are like {like}")
    for name in layers:
        module = possible[name]
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            raise BadInput(f"targets: {name} is a depthwise convolution, which has no low rank; leave it out")
    return layers


def _adapted_layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in network.named_modules() if hasattr(module, "lora_A"))
