"""A UNet's folder, as diffusers has them.

Where diffusers can express the network it is a plain ``UNet2DConditionModel``, with the spec beside it. Otherwise its
class is `ArchlabUNet`, whose one file of code lies beside the weights: diffusers runs it, archlab never does.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save
from torch import Tensor

import archlab
from archlab.architecture import UNetSpec, diffusers_obstacles, load_folder, to_diffusers_config
from archlab.architecture import save as save_spec
from archlab.architecture.files import ARCHLAB_UNET, SPEC_FILE, unet_config, unet_folder
from archlab.files import atomic_folder
from archlab.model.bundle import Definition, bundle
from archlab.unet import UNet, build
from archlab.unet.diffusers_names import diffusers_names
from archlab.unet.diffusers_weights import read_weights
from archlab.unet.weights import copied, with_weights

CODE_FILE = "modeling_archlab.py"

_CLASS = Definition("archlab.model.modeling_archlab", ARCHLAB_UNET)
_ATTEND, _BY_FORMULA = (Definition("archlab.unet.attention", name) for name in ("attend", "attend_by_formula"))
_HEAD = f'''\
"""{ARCHLAB_UNET}: the UNet of this folder, for diffusers. It needs torch and diffusers alone.

DiffusionPipeline.from_pretrained(folder, trust_remote_code=True) runs this file. It was put together from the sources
of archlab {archlab.__version__}: what the network needs, and no more. License: Apache-2.0.
"""

'''


def write_unet(unet: UNet, folder: Path) -> None:
    """Write the UNet's folder, whole or not at all; an older one at that place is replaced."""
    plain = not diffusers_obstacles(unet.spec)
    with atomic_folder(folder) as temporary:
        _write_weights(unet, _names(unet, plain), temporary)
        if plain:
            with torch.device("meta"):
                diffusers.UNet2DConditionModel(**to_diffusers_config(unet.spec)).save_config(temporary)
            save_spec(unet.spec, temporary / SPEC_FILE)
        else:
            config = json.dumps(_config(unet.spec), indent=2) + "\n"
            (temporary / "config.json").write_text(config, encoding="utf-8")
            (temporary / CODE_FILE).write_text(modeling_code(), encoding="utf-8")


def read_unet(folder: Path) -> UNet:
    """The UNet in its folder, or in that of a pipeline, in eval mode. JSON, YAML and safetensors are read, no code.

    Raises:
        BadInput: there is none, or a part of it is absent, damaged or foreign; one line with the file at fault.
    """
    place = unet_folder(folder)
    spec = load_folder(place)
    with torch.device("meta"):
        unet = build(spec)
    plain = unet_config(place)["_class_name"] != ARCHLAB_UNET
    return with_weights(unet, read_weights(place), _names(unet, plain), f"{place}: ")


@cache
def modeling_code() -> str:
    """The file of code for diffusers, equal for all networks."""
    return _HEAD + bundle(_CLASS, {_ATTEND: _BY_FORMULA})


def _names(unet: UNet, plain: bool) -> dict[str, str]:
    """A tensor's name in the file by its own."""
    return diffusers_names(unet, unet.spec) if plain else {name: name for name in unet.state_dict()}


def _write_weights(unet: UNet, names: dict[str, str], folder: Path) -> None:
    tensors: dict[str, Tensor] = {names[own]: copied(tensor) for own, tensor in unet.state_dict().items()}
    content = save(tensors, {"format": "pt"})  # safetensors' own writing hides that a disk is full
    (folder / diffusers.utils.SAFETENSORS_WEIGHTS_NAME).write_bytes(content)


def _config(spec: UNetSpec) -> dict[str, Any]:
    """The arguments of `ArchlabUNet`."""
    return {
        "_class_name": ARCHLAB_UNET,
        "_diffusers_version": diffusers.__version__,
        "spec": spec.to_dict(),
        "sample_size": spec.sample_size,
        "in_channels": spec.in_channels,
        "out_channels": spec.out_channels,
        "cross_attention_dim": spec.context_dim,
        "time_cond_proj_dim": spec.guidance_dim,
        "addition_time_embed_dim": spec.added.time_dim if spec.added else None,
    }
