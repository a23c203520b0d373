"""A network as a TFLite file, for this computer and for phones."""

from pathlib import Path

from archlab.latency.artifact import Artifact, converted_by, versions_with
from archlab.latency.network import Built, Network
from archlab.latency.settings import Settings
from archlab.progress import Progress

_LIBRARY = "litert-torch"


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

    return converted_by(_LIBRARY, network, "model.tflite", convert, settings, progress)


def converter_versions() -> dict[str, str]:
    """What decides the file besides network and settings."""
    return versions_with(_LIBRARY)
