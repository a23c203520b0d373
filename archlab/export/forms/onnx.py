"""The form ``onnx``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from archlab.convert import check_onnx, load_onnx, parity_of, to_onnx, torch_output
from archlab.errors import RunFailed
from archlab.export.forms.form import ExportedFile, Form, Port, Run, Say, compared, not_written, ports_of, size_mb
from archlab.export.networks import Network, Networks

_INPUTS = {
    "context": "encoder_hidden_states",
    "guidance": "timestep_cond",
    "tokens": "input_ids",
    "latents": "latent_sample",
}
_NO_CONTROL = "Optimum has no names for what draws along a picture"
_OUTPUTS = {"unet": "out_sample", "text_encoder": "last_hidden_state", "decoder": "sample"}


class Onnx(Form):
    """A file for each network, for any batch, by torch's exporter: ``unet.onnx``.

    Inputs and outputs are named as Hugging Face's Optimum names them.
    """

    runtime = "ONNX"
    precisions: tuple[str, ...] = ("fp32",)
    default_precisions: tuple[str, ...] = ("fp32",)
    trained_only = True
    runs_itself = True

    def check(self) -> None:
        check_onnx()

    def write(self, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        written = [self._write(network, folder, precision, say) for network in networks.plain]
        return written + [not_written(self, network, precision, _NO_CONTROL) for network in networks.control or ()]

    def runs(self, networks: Networks, folder: Path, files: Sequence[ExportedFile]) -> Mapping[str, Run]:
        return {file.component: _run(folder / file.file) for file in files if file.file is not None}

    def _write(self, network: Network, folder: Path, precision: str, say: Say) -> ExportedFile:
        path, output = folder / f"{network.name}.onnx", _OUTPUTS[network.name]
        say(f"writing {path.name}")
        try:
            written = to_onnx(network.module, network.inputs, path, names=_INPUTS, output=output)
        except RunFailed as error:
            return not_written(self, network, precision, error)
        expected = torch_output(network.module, network.inputs)
        parity = parity_of(expected, _run(path)(network.inputs)[0].numpy())
        file = ExportedFile(
            component=network.name,
            runtime=self.runtime,
            precision=precision,
            file=path.name,
            inputs=tuple(_named(port) for port in ports_of(network)),
            outputs=(Port(name=output, shape=expected.shape, dtype="float32"),),
            size_mb=sum(map(size_mb, written)),
            note="any batch",
        )
        return compared(file, parity)


def _run(path: Path) -> Run:
    run = load_onnx(path)

    def own(inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        return [run({_INPUTS.get(name, name): tensor for name, tensor in inputs.items()})]

    return own


def _named(port: Port) -> Port:
    return Port(name=_INPUTS.get(port.name, port.name), shape=port.shape, dtype=port.dtype)


ONNX = Onnx()
