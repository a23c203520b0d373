"""A control's network in a folder of diffusers': one of its own classes where it has one for that, else one of ours.

Our classes are code in one file beside the weights: diffusers runs it, archlab never does.
"""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors.torch import save
from torch import Tensor

import archlab
from archlab.architecture import UNetSpec, diffusers_obstacles, to_diffusers_config
from archlab.architecture.residual_places import residual_places
from archlab.errors import BadInput, nearest, shown
from archlab.files import read_json
from archlab.model.bundle import Definition, bundle
from archlab.unet.adapter import RES_BLOCKS, Adapter
from archlab.unet.controlled import ControlNetwork
from archlab.unet.controlnet import PICTURE_CHANNELS, ControlNet, condition_widths
from archlab.unet.diffusers_names import diffusers_names
from archlab.unet.diffusers_weights import read_weights
from archlab.unet.weights import copied, with_weights

_CODE_MODULE = "modeling_archlab_control"
_CONTROLNET, _ADAPTER = "ControlNetModel", "T2IAdapter"
_OWN_CONTROLNET, _OWN_ADAPTER = "ArchlabControlNet", "ArchlabAdapter"
_CLASSES = (_CONTROLNET, _OWN_CONTROLNET, _ADAPTER, _OWN_ADAPTER)
_OF_A_CONTROLNET = (  # of a UNet's config
    *("in_channels", "block_out_channels", "layers_per_block", "down_block_types", "mid_block_type"),
    *("only_cross_attention", "attention_head_dim", "cross_attention_dim", "norm_num_groups", "use_linear_projection"),
    *("transformer_layers_per_block", "addition_embed_type", "addition_time_embed_dim"),
    "projection_class_embeddings_input_dim",
)
_HEAD = f'''\
"""{{name}}: the network of this folder, for diffusers. It needs torch and diffusers alone.

diffusers.AutoModel.from_pretrained(folder, trust_remote_code=True) runs this file. It was put together from the sources
of archlab {archlab.__version__}: what the network needs, and no more. License: Apache-2.0.
"""

'''


def write_network(network: ControlNetwork, spec: UNetSpec, factor: int, folder: Path) -> None:
    """Write config and weights, and the code of a class of our own, into a folder.

    Args:
        spec: of the UNet; factor: see `ControlNet`.
    """
    name = class_of(network, spec)
    names = _names(network, name, spec)
    tensors: dict[str, Tensor] = {names[own]: copied(tensor) for own, tensor in network.state_dict().items()}
    (folder / diffusers.utils.SAFETENSORS_WEIGHTS_NAME).write_bytes(save(tensors, {"format": "pt"}))
    if name in (_CONTROLNET, _ADAPTER):
        config = _controlnet_config(spec, factor) if name == _CONTROLNET else _adapter_config(spec, factor)
        with torch.device("meta"):
            getattr(diffusers, name)(**config).save_config(folder)
        return
    own_config = {
        "_class_name": name,
        "_diffusers_version": diffusers.__version__,
        "auto_map": {"AutoModel": f"{_CODE_MODULE}.{name}"},
        "spec": spec.to_dict(),
        "factor": factor,
    }
    (folder / "config.json").write_text(json.dumps(own_config, indent=2) + "\n", encoding="utf-8")
    (folder / f"{_CODE_MODULE}.py").write_text(_code(name), encoding="utf-8")


def read_network(folder: Path, spec: UNetSpec, factor: int) -> ControlNetwork:
    """The network in a folder, for a UNet of this architecture; JSON and safetensors are read, no code.

    Raises:
        BadInput: there is none, or one for other UNets, or a part of it is damaged; one line.
    """
    config = read_json(folder / "config.json")
    name = config.get("_class_name")
    if name not in _CLASSES:
        raise BadInput(f"{folder}: no control is a {shown(name)}{nearest(str(name), _CLASSES)}")
    if config.get("adapter_type", "full_adapter") != "full_adapter":
        raise BadInput(f"{folder}: of T2I-Adapters only a full_adapter is read, not {shown(config['adapter_type'])}")
    with torch.device("meta"):
        kind = ControlNet if name in (_CONTROLNET, _OWN_CONTROLNET) else Adapter
        network: ControlNetwork = kind(spec, factor)
    if name == _CONTROLNET and diffusers_obstacles(spec):
        raise BadInput(f"{folder}: a ControlNetModel of diffusers', which has no place for this model's UNet")
    return with_weights(network, read_weights(folder), _names(network, name, spec), f"{folder}: ")


def class_of(network: ControlNetwork, spec: UNetSpec) -> str:
    """Its class in diffusers, or ours."""
    if isinstance(network, Adapter):
        sizes = [place.size for place in residual_places(spec).stages]
        return _ADAPTER if all(size == 2 * next_size for size, next_size in pairwise(sizes)) else _OWN_ADAPTER
    plain = not diffusers_obstacles(spec) and spec.middle
    return _CONTROLNET if plain and isinstance(_depth(spec), int) else _OWN_CONTROLNET


def _depth(spec: UNetSpec) -> Any:
    """Blocks of each stage; a ControlNetModel has one number for all stages."""
    return to_diffusers_config(spec)["layers_per_block"]


def _names(network: ControlNetwork, class_name: str, spec: UNetSpec) -> dict[str, str]:
    """A tensor's name in the file by its own."""
    if class_name == _CONTROLNET:
        return diffusers_names(network, spec)
    prefix = "network" if class_name == _OWN_CONTROLNET else "adapter"
    return {name: f"{prefix}.{name}" for name in network.state_dict()}


def _controlnet_config(spec: UNetSpec, factor: int) -> dict[str, Any]:
    config = to_diffusers_config(spec)
    return {
        **{key: config[key] for key in _OF_A_CONTROLNET if key in config},
        "conditioning_channels": PICTURE_CHANNELS,
        "conditioning_embedding_out_channels": condition_widths(factor),
    }


def _adapter_config(spec: UNetSpec, factor: int) -> dict[str, Any]:
    places = residual_places(spec).stages
    return {
        "in_channels": PICTURE_CHANNELS,
        "channels": [place.channels for place in places],
        "num_res_blocks": RES_BLOCKS,
        "downscale_factor": factor * spec.sample_size // places[0].size,
        "adapter_type": "full_adapter",
    }


@cache
def _code(name: str) -> str:
    root = Definition(f"archlab.model.controls.{_CODE_MODULE}", name)
    attend, by_formula = (Definition("archlab.unet.attention", each) for each in ("attend", "attend_by_formula"))
    return _HEAD.format(name=name) + bundle(root, {attend: by_formula} if name == _OWN_CONTROLNET else {})
