"""The form ``diffusers``."""

from pathlib import Path

import torch

from archlab.architecture import ArchitectureError
from archlab.convert import FlatInputs, parity_of, torch_output
from archlab.export.forms.form import ExportedFile, Form, Run, Say, not_written, ports_of, size_mb
from archlab.export.networks import Networks
from archlab.unet import to_diffusers


class Diffusers(Form):
    """The UNet as ``UNet2DConditionModel.from_pretrained("diffusers")`` loads it, where diffusers can express it."""

    runtime = "diffusers"
    precisions = ("fp32",)
    default_precisions = ("fp32",)

    def check(self) -> None:
        """It comes with archlab."""

    def write(self, networks: Networks, folder: Path, precision: str, say: Say) -> list[ExportedFile]:
        network, path = networks.unet, folder / "diffusers"
        assert isinstance(network.module, FlatInputs)
        say(f"writing {path.name}")
        try:
            model = to_diffusers(network.module.unet, path)
        except ArchitectureError as error:
            return [not_written(self, network, precision, f"{error}.")]
        inputs = network.inputs
        with torch.no_grad():
            output = model(
                *(inputs[name] for name in ("sample", "timestep", "context")),
                timestep_cond=inputs.get("guidance"),
                added_cond_kwargs={name: inputs[name] for name in ("text_embeds", "time_ids") if name in inputs},
            ).sample
        parity = parity_of(torch_output(network.module, inputs), output.numpy())
        return [
            ExportedFile(
                component=network.name,
                runtime=self.runtime,
                precision=precision,
                file=path.name,
                inputs=ports_of(network),
                size_mb=size_mb(path),
                parity_max_abs=parity.max_abs,
                parity_max_relative=parity.max_relative,
            )
        ]

    def run(self, networks: Networks, folder: Path, file: ExportedFile) -> Run | None:
        """It has the weights that torch has."""
        return None


DIFFUSERS = Diffusers()
