"""A control in an export: networks that draw along a picture what torch draws along it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from archlab.errors import BadInput
from archlab.evaluation.fact import read_fact
from archlab.export import Judging, Plan, export_model
from archlab.export.model_card import ModelExport
from archlab.model import Model, load_control
from archlab.model.controls.network_folder import write_network
from archlab.unet.adapter import Adapter
from archlab.unet.controlnet import ControlNet
from tests.export.models import latent_model, pixel_model
from tests.export.program import drawn_by_program, run_sample, share_within_one

KINDS = {"adapter": Adapter, "controlnet": ControlNet}
PROMPT = "a handwritten seven"


def written(kind: str, model: Model, folder: Path) -> Path:
    """The folder of a control whose weights are random, none of them zero."""
    factor = model.facts.image_size // model.spec.sample_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = KINDS[kind](model.spec, factor)
        for weight in network.parameters():
            if not weight.any():
                nn.init.normal_(weight, std=0.2)
    folder.mkdir()
    write_network(network, model.spec, factor, folder)
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


@pytest.mark.parametrize("kind", KINDS)
def test_packages_for_ml_stable_diffusion(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    model = latent_model(tmp_path, steps=2)
    control = written(kind, model, tmp_path / "control")
    out = export_model(
        model,
        tmp_path / "export",
        plan=Plan(forms=("coreml",), precisions=("fp32",)),
        judging=Judging(compared=1, scored=0),
        control=control,
    )
    export = read_fact(ModelExport, out / "card.json")
    files = {file.component: file for file in export.files}
    unet, network = files["controlled_unet"], files[kind]
    count = len(network.outputs)
    names = [f"additional_residual_{number}" for number in range(count)]
    assert unet.file == "coreml_fp32/ControlledUnet.mlpackage"
    assert [port.name for port in unet.inputs] == ["sample", "timestep", "encoder_hidden_states", *names]
    assert [port.name for port in network.outputs] == names
    if kind == "controlnet":
        assert network.file == "coreml_fp32/controlnet/ControlNet.mlpackage"
        assert [port.shape for port in network.outputs] == [port.shape for port in unet.inputs[3:]]
        assert [port.name for port in network.inputs][-1] == "controlnet_cond"
    else:
        assert [(port.name, port.shape) for port in network.inputs] == [("controlnet_cond", (1, 3, 16, 16))]
    assert all(file.parity_max_relative is not None and file.parity_max_relative < 1e-4 for file in (unet, network))
    assert export.pictures[-1].control == "control"
    assert (export.pictures[-1].psnr_db or 0) > 50


def test_a_control_of_another_model_is_refused(tmp_path: Path) -> None:
    model = pixel_model()
    control = written("adapter", latent_model(tmp_path), tmp_path / "control")
    with pytest.raises(BadInput, match="this config needs"):
        export_model(model, tmp_path / "export", control=control)
    assert not (tmp_path / "export").exists()
