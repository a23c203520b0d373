"""ONNX files: any batch, and what ONNX Runtime computes is what torch computes."""

import sys
from pathlib import Path

import pytest
import torch

from archlab.convert import load_onnx
from archlab.errors import MissingExtra
from archlab.evaluation.fact import read_fact
from archlab.export import Judging, Plan, export_model
from archlab.export.model_card import ModelExport
from archlab.export.networks import networks_of_model
from archlab.model import Model
from tests.export.models import latent_model

pytest.importorskip("onnxruntime")
PLAN = Plan(forms=("onnx",))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return latent_model(tmp_path_factory.mktemp("latents"))


@pytest.fixture(scope="module")
def exported(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "out"
    return export_model(model, out, plan=PLAN, judging=Judging(compared=2, scored=0))


@pytest.mark.parametrize("batch", [1, 3])
def test_every_network_computes_what_torch_computes_for_any_batch(model: Model, exported: Path, batch: int) -> None:
    generator, spec = torch.Generator().manual_seed(2), model.spec
    sample = torch.randn(batch, 2, 8, 8, generator=generator)
    timestep = torch.tensor([999.0, 3.0, 77.0])[:batch]
    ids = torch.randint(0, 50, (batch, spec.context_length), generator=generator, dtype=torch.int32)
    run = {name: load_onnx(exported / f"{name}.onnx") for name in ("text_encoder", "unet", "decoder")}
    networks = networks_of_model(model)
    assert networks.text_encoder is not None
    assert networks.decoder is not None
    with torch.no_grad():
        context = networks.text_encoder.module(ids)
        predicted = model.unet(sample, timestep, context)
        image = networks.decoder.module(sample)
    torch.testing.assert_close(run["text_encoder"]({"input_ids": ids}), context, rtol=1e-4, atol=1e-4)
    given = {"sample": sample, "timestep": timestep, "encoder_hidden_states": context}
    torch.testing.assert_close(run["unet"](given), predicted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(run["decoder"]({"latent_sample": sample}), image, rtol=1e-4, atol=1e-4)


def test_card_names_inputs_and_outputs_and_what_the_files_draw(exported: Path) -> None:
    export = read_fact(ModelExport, exported / "card.json", "")
    (pictures,) = export.pictures
    assert pictures.psnr_db is not None
    assert pictures.psnr_db > 80
    unet = next(file for file in export.files if file.component == "unet")
    assert [port.name for port in (*unet.inputs, *unet.outputs)] == [
        "sample",
        "timestep",
        "encoder_hidden_states",
        "out_sample",
    ]
    assert unet.parity_max_relative is not None
    assert unet.parity_max_relative < 1e-4


def test_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r"writing ONNX files needs .*pip install 'archlab\[onnx\]'"):
        PLAN.check()
