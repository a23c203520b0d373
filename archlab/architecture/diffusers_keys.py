"""The keys of diffusers' UNet2DConditionModel config: what diffusers takes by default and what a spec can express."""

import reprlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from archlab.architecture.parts import ArchitectureError

CLASS_NAME = "UNet2DConditionModel"

_MOST = 1_000_000


class Key(NamedTuple):
    """One key of the config.

    Attributes:
        default: what diffusers takes where the key is absent.
        accepted: the values a spec can express; None where `from_diffusers_config` reads the value or it changes
            nothing.
    """

    default: Any
    accepted: tuple[Any, ...] | None = None


KEYS: dict[str, Key] = {
    "sample_size": Key(None),
    "in_channels": Key(4),
    "out_channels": Key(4),
    "center_input_sample": Key(False, (False,)),
    "flip_sin_to_cos": Key(True, (True,)),
    "freq_shift": Key(0, (0,)),
    "down_block_types": Key(("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)),
    "mid_block_type": Key("UNetMidBlock2DCrossAttn", ("UNetMidBlock2DCrossAttn", "UNetMidBlock2D", None)),
    "up_block_types": Key(("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3),
    "only_cross_attention": Key(False),
    "block_out_channels": Key((320, 640, 1280, 1280)),
    "layers_per_block": Key(2),
    "downsample_padding": Key(1, (1,)),
    "mid_block_scale_factor": Key(1, (1,)),
    "dropout": Key(0.0, (0,)),
    "act_fn": Key("silu", ("silu", "swish")),
    "norm_num_groups": Key(32),
    "norm_eps": Key(1e-5, (1e-5,)),
    "cross_attention_dim": Key(1280),
    "transformer_layers_per_block": Key(1),
    "reverse_transformer_layers_per_block": Key(None),
    "encoder_hid_dim": Key(None, (None,)),
    "encoder_hid_dim_type": Key(None, (None,)),
    "attention_head_dim": Key(8),
    "num_attention_heads": Key(None, (None,)),
    "dual_cross_attention": Key(False, (False,)),
    "use_linear_projection": Key(False),  # a 1 × 1 convolution is the same
    "class_embed_type": Key(None, (None,)),
    "addition_embed_type": Key(None, (None, "text_time")),
    "addition_time_embed_dim": Key(None),
    "num_class_embeds": Key(None, (None,)),
    "upcast_attention": Key(False),  # nothing to do in float32
    "resnet_time_scale_shift": Key("default", ("default",)),
    "resnet_skip_time_act": Key(False),  # not handed to the accepted block types
    "resnet_out_scale_factor": Key(1.0),  # likewise
    "time_embedding_type": Key("positional", ("positional",)),
    "time_embedding_dim": Key(None),
    "time_embedding_act_fn": Key(None, (None,)),
    "timestep_post_act": Key(None, (None,)),
    "time_cond_proj_dim": Key(None),
    "conv_in_kernel": Key(3, (3,)),
    "conv_out_kernel": Key(3, (3,)),
    "projection_class_embeddings_input_dim": Key(None),
    "attention_type": Key("default", ("default",)),
    "class_embeddings_concat": Key(False, (False,)),
    "mid_block_only_cross_attention": Key(None),  # not handed to the accepted middles
    "cross_attention_norm": Key(None),  # not handed to the accepted block types
    "addition_embed_type_num_heads": Key(64),  # of another addition_embed_type
}

# What diffusers' EMAModel writes into the config of the UNet it saves.
_TRAINING_KEYS = {
    "decay",
    "inv_gamma",
    "min_decay",
    "optimization_step",
    "power",
    "update_after_step",
    "use_ema_warmup",
}


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """Every key with its value, sequences as lists; what no spec can express is refused."""
    class_name = config.get("_class_name", CLASS_NAME)
    if class_name != CLASS_NAME:
        raise refusal("_class_name", class_name, f"it must be {CLASS_NAME}")
    values = {key: _plain(known.default) for key, known in KEYS.items()}
    for key, value in config.items():
        if key in KEYS:
            values[key] = _plain(value)
        elif not key.startswith("_") and key not in _TRAINING_KEYS:
            raise refusal(key, value, f"{CLASS_NAME} has no such key")
    for key, known in KEYS.items():
        if known.accepted is not None and values[key] not in known.accepted:
            raise refusal(key, values[key], f"it must be {' or '.join(map(repr, known.accepted))}")
    return values


def per_stage(values: dict[str, Any], key: str, count: int | None = None) -> list[Any]:
    """One value for each of ``count`` stages, from a list or one for all; without ``count`` the list itself."""
    value = values[key]
    if not isinstance(value, list):
        if count is None or isinstance(KEYS[key].default, tuple) or KEYS[key].default is None:
            raise refusal(key, value, "it must be a list with one entry for each stage")
        return [value] * count
    if not value or (count is not None and len(value) != count):
        right = "it must have one entry for each stage"
        raise refusal(key, value, right if count is None else f"{right}: block_out_channels has {count}")
    return list(value)


def whole(key: str, value: Any, *, least: int = 1, most: int = _MOST) -> int:
    """The value, refused where it is no whole number in that range."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise refusal(key, value, f"it must be a whole number from {least} to {most}")
    return value


def flag(key: str, value: Any) -> bool:
    """The value, refused where it is neither true nor false."""
    if not isinstance(value, bool):
        raise refusal(key, value, "it must be true or false")
    return value


def refusal(key: str, value: Any, right: str) -> ArchitectureError:
    """The error to raise about a key: one line with its value and what would be right."""
    return ArchitectureError(
        f"{key if key.isidentifier() else reprlib.repr(key)}: {reprlib.repr(value)} cannot be expressed; {right}"
    )


def _plain(value: Any) -> Any:
    """Tuples as lists, as in JSON."""
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
