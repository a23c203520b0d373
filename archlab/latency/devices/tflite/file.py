"""A network as a TFLite file, for this computer and for phones."""

from pathlib import Path

from archlab.errors import BadInput
from archlab.latency.artifact import Artifact, converted_by, versions_with
from archlab.latency.network import Built, Network
from archlab.latency.settings import Settings
from archlab.progress import Progress


def tflite_file(network: Network, settings: Settings, progress: Progress) -> Artifact:
    """The network in the settings' precision, by their converter.

    Raises:
        BadInput: another form of attention than ``plain``, or what the converter does not have.
        MissingExtra: litert-torch is asked for and not installed.
        RunFailed: the network cannot be converted, or the disk is full.
    """
    if settings.attention not in (None, "plain"):
        raise BadInput(f"attention: TFLite has only 'plain' but got {settings.attention!r}; the others are Core ML's")

    for_cpu = settings.compute in (None, "cpu")

    def convert(built: Built, path: Path) -> None:
        from archlab.convert import to_tflite, to_tflite_by_litert_torch

        if settings.converter == "litert-torch":
            to_tflite_by_litert_torch(built.module, built.inputs, path, settings.precision)
        else:
            to_tflite(
                built.module,
                built.inputs,
                path,
                precision=settings.precision,
                polynomial_sines=settings.polynomial_sines,
                for_cpu=for_cpu,
            )

    further = {} if for_cpu else {"for_cpu": False}
    return converted_by(settings.converter, network, "model.tflite", convert, settings, progress, further)


def converter_versions(settings: Settings) -> dict[str, str]:
    """What decides the file besides network and settings."""
    return versions_with(settings.converter)
