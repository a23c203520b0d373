"""The form ``tflite``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from archlab.convert import load_tflite, parity_of_all, to_tflite, torch_outputs, unaccelerated_operators
from archlab.convert.tflite import PRECISIONS
from archlab.errors import RunFailed, require
from archlab.export.forms.form import ExportedFile, Form, Port, Run, Say, compared, not_written, ports_of, size_mb
from archlab.export.networks import Network, Networks


class TFLite(Form):
    """A file for each network: ``unet.tflite``; in other precisions than float32 ``unet_fp16.tflite``, ….

    A batch of one: it serves guidance, in two runs, and models without guidance alike.
    """

    runtime = "TFLite"
    precisions = PRECISIONS
    default_precisions = PRECISIONS
    trained_only = False
    runs_itself = True

    def check(self) -> None:
        require("ai_edge_litert.interpreter", "writing TFLite files")

    def write(self, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        return [self._write(network, folder, precision, say) for network in networks]

    def runs(self, networks: Networks, folder: Path, files: Sequence[ExportedFile]) -> Mapping[str, Run]:
        return {file.component: load_tflite(folder / file.file) for file in files if file.file is not None}

    def _write(self, network: Network, folder: Path, precision: str, say: Say) -> ExportedFile:
        path = folder / f"{network.name}{'' if precision == 'fp32' else f'_{precision}'}.tflite"
        say(f"writing {path.name}")
        try:
            to_tflite(network.module, network.inputs, path, precision=precision, for_cpu=False)
        except RunFailed as error:
            return not_written(self, network, precision, error)
        expected = torch_outputs(network.module, network.inputs)
        parity = parity_of_all(expected, [output.numpy() for output in load_tflite(path)(network.inputs)])
        unaccelerated = unaccelerated_operators(path)
        file = ExportedFile(
            component=network.name,
            runtime=self.runtime,
            precision=precision,
            file=path.name,
            inputs=ports_of(network),
            outputs=tuple(
                Port(name=f"output_{number}", shape=output.shape, dtype="float32")
                for number, output in enumerate(expected)
            ),
            size_mb=size_mb(path),
            unaccelerated=None if unaccelerated is None else tuple(unaccelerated),
        )
        return compared(file, parity)


TFLITE = TFLite()
