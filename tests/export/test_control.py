"""A control in an export: networks that draw along a picture what torch draws along it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from archlab.convert import CoreMLProgram, to_coreml
from archlab.errors import BadInput
from archlab.evaluation.fact import read_fact
from archlab.export import Judging, Plan, export_model
from archlab.export.forms.coreml.parts import parts_of
from archlab.export.model_card import ModelExport
from archlab.export.networks import networks_of_model
from archlab.model import Model, load_control
from archlab.model.controls.load import picture_factor
from archlab.model.controls.network_folder import write_network
from archlab.unet.adapter import Adapter
from archlab.unet.controlled import ControlNetwork
from archlab.unet.controlnet import ControlNet
from tests.export.models import latent_model, pixel_model
from tests.export.program import drawn_by_program, run_sample, share_within_one

KINDS = {"adapter": Adapter, "controlnet": ControlNet}
PROMPT = "a handwritten seven"


def network_of(kind: str, model: Model) -> ControlNetwork:
    """With random weights, none of them zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = KINDS[kind](model.spec, picture_factor(model))
        for weight in network.parameters():
            if not weight.any():
                nn.init.normal_(weight, std=0.2)
    return network.eval()


def written(kind: str, model: Model, folder: Path) -> Path:
    """The folder of that network."""
    folder.mkdir()
    write_network(network_of(kind, model), model.spec, picture_factor(model), folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_draws_along_a_picture_as_torch_does(kind: str, tmp_path: Path) -> None:
    model = pixel_model(steps=4)
    control = written(kind, model, tmp_path / "control")
    out = export_model(
        model,
        tmp_path / "export",
        plan=Plan(forms=("tflite",), precisions=("fp32",)),
        judging=Judging(compared=2, scored=0),
        control=control,
    )
    picture = tmp_path / "marks.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).save(picture)
    along = {
        scale: drawn_by_program(out, model, PROMPT, "--control", str(picture), "--control-scale", scale)
        for scale in ("1", "0")
    }
    alone = drawn_by_program(out, model, PROMPT)
    loaded = load_control(control, model, picture)
    assert share_within_one(along["1"], model, PROMPT, control=loaded) == 1
    assert (abs(along["0"] - alone) <= 1).all()
    assert (abs(along["1"] - alone) > 1).mean() > 0.1
    export = read_fact(ModelExport, out / "card.json")
    plain, controlled = export.pictures
    assert plain.control is None
    assert controlled.control == "control"
    assert controlled.psnr_db is not None
    assert controlled.psnr_db > 50
    assert controlled.control_ms is not None
    files = {file.component: file for file in export.files}
    assert files.keys() == {"unet", "controlled_unet", kind}
    assert files[kind].unaccelerated == ()
    assert [port.shape for port in files[kind].outputs] == [port.shape for port in files["controlled_unet"].inputs[3:]]
    assert (out / "controlled.png").is_file()
    assert f"{kind}.tflite" in (out / "card.md").read_text(encoding="utf-8")
    runs = {"adapter": "1 passes", "controlnet": "8 passes"}[kind]
    assert f"{kind:15}   {runs}" in run_sample(out, PROMPT, "--control", str(picture), "--out", str(tmp_path / "p.png"))


def test_packages_for_ml_stable_diffusion(tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    model = latent_model(tmp_path, steps=2)
    out = export_model(
        model,
        tmp_path / "export",
        plan=Plan(forms=("coreml",), precisions=("fp32",)),
        judging=Judging(compared=1, scored=0),
        control=written("controlnet", model, tmp_path / "control"),
    )
    export = read_fact(ModelExport, out / "card.json")
    files = {file.component: file for file in export.files}
    unet, network = files["controlled_unet"], files["controlnet"]
    names = [f"additional_residual_{number}" for number in range(len(network.outputs))]
    assert unet.file == "coreml_fp32/ControlledUnet.mlpackage"
    assert [port.name for port in unet.inputs] == ["sample", "timestep", "encoder_hidden_states", *names]
    assert network.file == "coreml_fp32/controlnet/ControlNet.mlpackage"
    assert [port.name for port in network.inputs][-1] == "controlnet_cond"
    assert [port.name for port in network.outputs] == names
    assert [port.shape for port in network.outputs] == [port.shape for port in unet.inputs[3:]]
    for file in (unet, network):
        assert file.parity_max_relative is not None
        assert file.parity_max_relative < 1e-4
    assert export.pictures[-1].control == "control"
    assert (export.pictures[-1].psnr_db or 0) > 50


def test_package_of_an_adapter_runs_once_an_image(tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    model = pixel_model()
    networks = networks_of_model(model, network_of("adapter", model))
    part = parts_of(networks, 2)[-1]
    path = tmp_path / f"{part.stem}.mlpackage"
    to_coreml(part.module, part.examples, path, precision="fp32", outputs=dict.fromkeys(part.outputs, "fp32"))
    program = CoreMLProgram(path)
    assert program.inputs == {"controlnet_cond": ("float32", (1, 3, 8, 8))}
    made = program(part.examples)
    for name, expected in zip(part.outputs, part.module(**part.examples), strict=True):
        torch.testing.assert_close(made[name], expected, rtol=1e-4, atol=1e-4)


def test_a_control_of_another_model_is_refused(tmp_path: Path) -> None:
    model = pixel_model()
    control = written("adapter", latent_model(tmp_path), tmp_path / "control")
    with pytest.raises(BadInput, match="this config needs"):
        export_model(model, tmp_path / "export", control=control)
    assert not (tmp_path / "export").exists()
