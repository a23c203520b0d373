"""A network as a Core ML package, converted here on any system."""

from pathlib import Path

from archlab.errors import BadInput
from archlab.latency.artifact import Artifact, converted_by, versions_with
from archlab.latency.network import Built, Network
from archlab.latency.settings import Settings
from archlab.progress import Progress

_LIBRARY = "coremltools"


def coreml_package(network: Network, settings: Settings, progress: Progress) -> Artifact:
    """The network in the settings' precision and attention form.

    Raises:
        BadInput: a number of threads or litert-torch is asked for.
        RunFailed: coremltools gave up, or the disk is full.
    """
    if settings.threads != 1:
        raise BadInput(f"threads: Core ML chooses them itself; leave 1 instead of {settings.threads}")
    if settings.converter != "archlab":
        raise BadInput(f"converter: {settings.converter} writes TFLite files, not Core ML packages")

    def convert(built: Built, path: Path) -> None:
        from archlab.convert import to_coreml

        attention = settings.attention or "split_einsum"
        to_coreml(built.module, built.inputs, path, precision=settings.precision, attention=attention)

    return converted_by(_LIBRARY, network, "model.mlpackage", convert, settings, progress)


def converter_versions() -> dict[str, str]:
    """What decides the package besides network and settings."""
    return versions_with(_LIBRARY)
