"""The state of a training in one file: safetensors, with JSON among its metadata. Nothing is unpickled."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from archlab.files import atomic_path

CHECKPOINT_SECONDS = 20.0


class Checkpoint(NamedTuple):
    """Tensors, and facts that JSON can hold."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def write_checkpoint(path: Path, identity: str, checkpoint: Checkpoint) -> None:
    """Write it, whole or not at all.

    Args:
        identity: of what it is the state; only who names the same reads it back.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    facts = json.dumps(checkpoint.facts)
    metadata = {"identity": identity, "facts": facts, "sha256": _digest(identity, facts, tensors)}
    with atomic_path(path) as temporary:
        _write(temporary, tensors, metadata)


def read_checkpoint(path: Path, identity: str) -> Checkpoint | None:
    """Read what `write_checkpoint` wrote; None where there is none, it is damaged or of another identity."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("identity") != identity:
                return None
            names = list(file.keys())
            tensors = {name: file.get_tensor(name).clone() for name in names}
    except (OSError, SafetensorError):
        return None
    facts = metadata.get("facts", "")
    if metadata.get("sha256") != _digest(identity, facts, tensors):
        return None
    return Checkpoint(tensors, json.loads(facts))


def now_and_then(save: Callable[[], None], seconds: float = CHECKPOINT_SECONDS) -> Callable[[], None]:
    """What to call after every step: it saves when so many seconds have passed since it last did."""
    saved = time.monotonic()

    def after_step() -> None:
        nonlocal saved
        if time.monotonic() - saved >= seconds:
            save()
            saved = time.monotonic()

    return after_step


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under ``<prefix>.<name>``."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those that `prefixed` named so, under their own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """A safetensors file, tensor by tensor: the library's own writing has all of it in memory a second time, and hides
    that a disk is full. The widest numbers come first, so that each lies where a processor can read it."""
    ordered = sorted(tensors.items(), key=lambda item: -item[1].element_size())
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, tensor in ordered:
            file.write(_content(tensor))


_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def _digest(identity: str, facts: str, tensors: Mapping[str, Tensor]) -> str:
    content = hashlib.sha256(json.dumps([identity, facts]).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        content.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        content.update(_content(tensor))
    return content.hexdigest()


def _content(tensor: Tensor) -> memoryview:
    """Its bytes, not copied; the tensor is contiguous and on the CPU."""
    return tensor.reshape(-1).view(torch.uint8).numpy().data
