"""A network as a TFLite file, for this computer and for phones."""

from pathlib import Path

from archlab.latency.artifact import Artifact, code_version, converted
from archlab.latency.network import Built, Network
from archlab.latency.packages import package_version
from archlab.latency.settings import Settings
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
