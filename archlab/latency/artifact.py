"""A network converted for a runtime, found again by its content."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

import archlab
from archlab.errors import RunFailed
from archlab.files import cache_folder, cache_limit_gb
from archlab.latency.network import Built, Network, content_hash

_DECIDING_CODE = ("architecture/*.py", "unet/*.py", "convert/*.py", "latency/pipeline/*.py", "latency/table/modules.py")
_IN_USE_SECONDS = 3600.0  # what was asked for so lately may be in use


@dataclass(frozen=True)
class Artifact:
    """A folder with the converted ``model`` (a file, or a folder for Core ML), ``inputs.npz`` and ``expected.npy``.

    ``expected`` is torch's output in float32 for these inputs.
    """

    folder: Path
    model: Path

    @property
    def key(self) -> str:
        """Content hash of network, seed, options and versions; names the folder."""
        return self.folder.name

    @property
    def inputs(self) -> Path:
        """Arrays by the names of the network's inputs."""
        return self.folder / "inputs.npz"

    @property
    def expected(self) -> Path:
        """Torch's output."""
        return self.folder / "expected.npy"

    @property
    def model_mb(self) -> float:
        """Size of the model in 10⁶ bytes."""
        return _size(self.model) / 1e6


def converted(
    network: Network,
    model_name: str,
    convert: Callable[[Built, Path], None],
    key: Mapping[str, Any],
    seed: int = 0,
) -> Artifact:
    """The converted network, from the cache where it is there.

    The cache is held under ``$ARCHLAB_CACHE_GB`` (20 by default): the least recently used goes first.

    Args:
        model_name: ``model.tflite``, ``model.mlpackage``.
        convert: writes the model to a path.
        key: what besides network, seed and archlab's own code decides the model: options and versions.

    Raises:
        BadInput: ``$ARCHLAB_CACHE_GB`` is no number.
        RunFailed: the disk is full.
        What ``convert`` raises; nothing half-written stays behind.
    """
    root = cache_folder("converted")
    limit_gb = cache_limit_gb()
    folder = root / content_hash(network.id, model_name, seed, code_version(), dict(key))
    with FileLock(folder.with_suffix(".lock")):
        if not _is_whole(folder):
            with tempfile.TemporaryDirectory(dir=root, prefix=".making-") as temporary:
                made = write_artifact(Path(temporary) / folder.name, network, model_name, convert, seed)
                (made.folder / "key.json").write_text(json.dumps({"network": network.id, "seed": seed, **key}))
                shutil.rmtree(folder, ignore_errors=True)
                made.folder.rename(folder)
        os.utime(folder)
    _forget_oldest(root, limit_gb)
    return Artifact(folder, folder / model_name)


def write_artifact(
    folder: Path, network: Network, model_name: str, convert: Callable[[Built, Path], None], seed: int
) -> Artifact:
    """Build and convert the network into a new folder, outside the cache.

    Raises:
        RunFailed: the disk is full.
        What ``convert`` raises.
    """
    import numpy as np
    import torch

    artifact = Artifact(folder, folder / model_name)
    try:
        folder.mkdir()
        built = network.build(seed)
        convert(built, artifact.model)
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in built.inputs.items()}
        np.savez(artifact.inputs, **arrays)
        with torch.no_grad():
            np.save(artifact.expected, built.module(**built.inputs).numpy())
    except OSError as error:
        raise RunFailed(f"{folder.parent}: cannot write the converted {network.name}: {error.strerror}") from error
    return artifact


def checked_parity(artifact: Artifact, output: Path, tolerance: float, what: str) -> float:
    """Largest absolute difference of the output in a ``.npy`` file from torch's.

    Args:
        tolerance: the largest that is accepted, as a share of the output's scale, its largest absolute value.
        what: network and device, for the message.

    Raises:
        RunFailed: it differs by more, or has another shape.
    """
    import numpy as np

    from archlab.convert import compare

    expected, actual = np.load(artifact.expected), np.load(output)
    if expected.shape != actual.shape:
        raise RunFailed(f"{what} gives an output of shape {actual.shape} where torch gives {expected.shape}")
    parity = compare(expected, actual)
    if not parity.within(tolerance):
        raise RunFailed(
            f"{what} differs from torch by {parity.max_relative:.1e} of its output's scale "
            f"(at most {tolerance:.0e} is accepted); its latency would be another network's"
        )
    return parity.max_abs


@cache
def code_version() -> str:
    """archlab's version with the hash of the code that makes networks and converts them: ``0.1.0+3fa9c1d2``."""
    package = Path(archlab.__file__).parent
    files = sorted(file for pattern in _DECIDING_CODE for file in package.glob(pattern))
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:8]
    return f"{archlab.__version__}+{digest}"


def _forget_oldest(root: Path, limit_gb: float) -> None:
    used = {entry: entry.stat().st_mtime for entry in root.iterdir() if _is_whole(entry)}
    sizes = {entry: _size(entry) for entry in used}
    excess = sum(sizes.values()) - limit_gb * 1e9
    for entry in sorted(used, key=used.__getitem__):
        if excess <= 0 or used[entry] > time.time() - _IN_USE_SECONDS:
            return
        shutil.rmtree(entry, ignore_errors=True)
        excess -= sizes[entry]


def _is_whole(folder: Path) -> bool:
    return (folder / "key.json").is_file()


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
