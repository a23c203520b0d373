"""A network converted for a runtime, found again by its content."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import archlab
from archlab import versions
from archlab.cache import Kind, content_hash
from archlab.errors import RunFailed
from archlab.latency.network import Built, Network
from archlab.latency.packages import package_version
from archlab.latency.settings import Settings
from archlab.progress import Progress

CONVERSIONS = Kind("conversions", "networks as a device's runtime takes them, with inputs and torch's output")
_KEY = "key.json"


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

    Args:
        model_name: ``model.tflite``, ``model.mlpackage``.
        convert: writes the model to a path.
        key: what besides network, seed and archlab's own code decides the model: options and versions.

    Raises:
        BadInput: the cache cannot be written, or its limit is no number.
        RunFailed: the disk is full.
        What ``convert`` raises; nothing half-written stays behind.
    """
    entry = CONVERSIONS.entry(content_hash(network.id, model_name, seed, code_version(), dict(key)))
    with entry.locked():
        if entry.use() is None or not (entry.path / _KEY).is_file():
            with entry.written() as folder:
                write_artifact(folder, network, model_name, convert, seed)
                (folder / _KEY).write_text(json.dumps({"network": network.id, "seed": seed, **key}))
    return Artifact(entry.path, entry.path / model_name)


def converted_by(
    library: str,
    network: Network,
    model_name: str,
    convert: Callable[[Built, Path], None],
    settings: Settings,
    progress: Progress,
    further: Mapping[str, Any] = MappingProxyType({}),
) -> Artifact:
    """The network as ``library`` converts it, in the settings' precision and attention form; see `converted`.

    Args:
        further: what else decides the file.
    """
    progress("convert", 0.0)
    chosen = settings.model_dump(include={"precision", "attention", "converter", "polynomial_sines"})
    key = {**chosen, **further, **versions_with(library)}
    artifact = converted(network, model_name, convert, key, settings.seed)
    progress("convert", 1.0)
    return artifact


def versions_with(library: str) -> dict[str, str]:
    """The versions that decide what ``library`` makes of a network: its own, torch's and archlab's."""
    return {
        "converter_version": f"{library} {archlab.__version__ if library == 'archlab' else package_version(library)}",
        "torch": package_version("torch"),
        "archlab": code_version(),
    }


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

    from archlab.convert import parity_of

    expected, actual = np.load(artifact.expected), np.load(output)
    if expected.shape != actual.shape:
        raise RunFailed(f"{what} gives an output of shape {actual.shape} where torch gives {expected.shape}")
    parity = parity_of(expected, actual)
    if not parity.within(tolerance):
        raise RunFailed(
            f"{what} differs from torch by {parity.max_relative:.1e} of its output's scale "
            f"(at most {tolerance:.0e} is accepted); its latency would be another network's"
        )
    return parity.max_abs


def code_version() -> str:
    """archlab's version, with those of what makes networks and converts them: ``0.1.0+unet1.convert1.pieces1``."""
    return f"{archlab.__version__}+unet{versions.UNET}.convert{versions.CONVERT}.pieces{versions.PIECES}"


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
