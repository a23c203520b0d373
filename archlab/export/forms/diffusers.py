"""The form ``diffusers``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from archlab.architecture import ArchitectureError
from archlab.convert import FlatInputs, parity_of, torch_output
from archlab.convert.quiet import quiet
from archlab.export.forms.form import ExportedFile, Form, Run, Say, not_written, ports_of, size_mb
from archlab.export.networks import Network, Networks
from archlab.model import Model
from archlab.model.folder import write_model
from archlab.unet import to_diffusers

MODEL_FOLDER = "model"


class Diffusers(Form):
    """A model's own folder, ``model``: `load_model` loads it from there, and diffusers where VAE and CLIP are its own.

    Of an architecture its UNet, as ``UNet2DConditionModel.from_pretrained("diffusers")`` loads it, where diffusers can
    express it.
    """

    runtime = "diffusers"
    precisions = ("fp32",)
    default_precisions = ("fp32",)
    trained_only = False
    runs_itself = False

    def check(self) -> None:
        """It comes with archlab."""

    def write(self, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        if networks.model is not None:
            return [self._write_model(networks.model, folder / MODEL_FOLDER, precision, say)]
        return [self._write_unet(networks.unet, folder / "diffusers", precision, say)]

    def runs(self, networks: Networks, folder: Path, files: Sequence[ExportedFile]) -> Mapping[str, Run]:
        """It has the weights that torch has."""
        return {}

    def _write_model(self, model: Model, path: Path, precision: str, say: Say) -> ExportedFile:
        say(f"writing {path.name}")
        path.mkdir()
        with quiet():  # diffusers remarks on other libraries that it finds
            write_model(model, path)
        return ExportedFile(
            component="pipeline", runtime=self.runtime, precision=precision, file=path.name, size_mb=size_mb(path)
        )

    def _write_unet(self, network: Network, path: Path, precision: str, say: Say) -> ExportedFile:
        assert isinstance(network.module, FlatInputs)
        say(f"writing {path.name}")
        try:
            model = to_diffusers(network.module.unet, path)
        except ArchitectureError as error:
            return not_written(self, network, precision, f"{error}.")
        inputs = network.inputs
        with torch.no_grad():
            output = model(
                *(inputs[name] for name in ("sample", "timestep", "context")),
                timestep_cond=inputs.get("guidance"),
                added_cond_kwargs={name: inputs[name] for name in ("text_embeds", "time_ids") if name in inputs},
            ).sample
        parity = parity_of(torch_output(network.module, inputs), output.numpy())
        return ExportedFile(
            component=network.name,
            runtime=self.runtime,
            precision=precision,
            file=path.name,
            inputs=ports_of(network),
            size_mb=size_mb(path),
            parity_max_abs=parity.max_abs,
            parity_max_relative=parity.max_relative,
        )


DIFFUSERS = Diffusers()
