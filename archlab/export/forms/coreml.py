"""The form ``coreml``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from archlab.convert import can_run_coreml, parity_of, run_coreml, to_coreml, torch_output
from archlab.errors import RunFailed, require
from archlab.export.forms.form import ExportedFile, Form, Run, Say, not_written, ports_of, size_mb
from archlab.export.networks import Network, Networks


class CoreML(Form):
    """A package for each network: ``unet.mlpackage``."""

    runtime = "Core ML"
    precisions = ("fp16",)
    default_precisions = ("fp16",)

    def check(self) -> None:
        require("coremltools", "writing Core ML packages", "coreml")

    def write(self, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        return [self._write(network, folder, precision, say) for network in networks]

    def runs(self, networks: Networks, folder: Path, files: Sequence[ExportedFile]) -> Mapping[str, Run]:
        return {}

    def _write(self, network: Network, folder: Path, precision: str, say: Say) -> ExportedFile:
        path = folder / f"{network.name}.mlpackage"
        say(f"writing {path.name}")
        try:
            to_coreml(network.module, network.inputs, path)
        except RunFailed as error:
            return not_written(self, network, precision, error)
        parity, note = None, "converted and not run: running Core ML takes macOS"
        if can_run_coreml():
            expected = torch_output(network.module, network.inputs)
            parity, note = parity_of(expected, run_coreml(path, network.inputs)), "computed in float16"
        return ExportedFile(
            component=network.name,
            runtime=self.runtime,
            precision=precision,
            file=path.name,
            inputs=ports_of(network),
            size_mb=size_mb(path),
            parity_max_abs=None if parity is None else parity.max_abs,
            parity_max_relative=None if parity is None else parity.max_relative,
            note=note,
        )


COREML = CoreML()
