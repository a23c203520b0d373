"""A network as a TFLite file, for this computer and for phones."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from archlab.latency.artifact import Artifact, code_version, converted
from archlab.latency.network import Built, Network
from archlab.latency.runner import Settings
from archlab.progress import Progress


def tflite_file(network: Network, settings: Settings, progress: Progress) -> Artifact:
    """The network in the settings' precision and attention form.

    Raises:
        RunFailed: litert-torch gave up, or the disk is full.
    """

    def convert(built: Built, path: Path) -> None:
        from archlab.convert import to_tflite

        to_tflite(
            built.module, built.inputs, path, precision=settings.precision, attention=settings.attention or "plain"
        )

    progress("convert", 0.0)
    key = {"precision": settings.precision, "attention": settings.attention, **converter_versions()}
    artifact = converted(network, "model.tflite", convert, key, settings.seed)
    progress("convert", 1.0)
    return artifact


def converter_versions() -> dict[str, str]:
    """What decides the file besides network and settings."""
    return {
        "converter": f"litert-torch {package_version('litert-torch')}",
        "torch": package_version("torch"),
        "archlab": code_version(),
    }


def package_version(package: str) -> str:
    """``absent`` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def installed(module: str) -> bool:
    """Whether it could be imported, without the seconds that importing it takes."""
    try:
        return find_spec(module) is not None
    except ValueError:  # what find_spec raises for a module that is blocked
        return False
