"""Core ML packages as ml-stable-diffusion's Swift package loads them; their programs are run by torch."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler, PNDMScheduler
from torch import Tensor

from archlab.convert import CoreMLProgram, Parity
from archlab.diffusion.objectives import OBJECTIVES
from archlab.diffusion.settings import DiffusionSettings
from archlab.errors import RunFailed
from archlab.evaluation.fact import read_fact
from archlab.export import Judging, Plan, export_model
from archlab.export.forms.coreml import CoreML
from archlab.export.forms.coreml.prediction import prediction_of
from archlab.export.forms.coreml.swift import remarks
from archlab.export.forms.form import ExportedFile, compared
from archlab.export.model_card import ModelExport
from archlab.export.networks import networks_of_model
from archlab.model import Model
from archlab.model.facts import DistillationFacts
from archlab.model.schedulers import scheduler_for
from tests.export.models import latent_model, pixel_model

pytest.importorskip("coremltools")

STABLE_DIFFUSION = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


@pytest.mark.parametrize(
    ("scheduler", "objective"),
    [
        (DDIMScheduler(), "epsilon"),
        (DDIMScheduler(prediction_type="v_prediction", beta_schedule="squaredcos_cap_v2"), "v"),
        (FlowMatchEulerDiscreteScheduler(), "flow"),
    ],
)
def test_noise_of_a_right_prediction_is_the_noise(scheduler: object, objective: str) -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 2, 4, 4, generator=generator)
    timestep = torch.tensor([10.0, 900.0, 500.0])
    if objective == "flow":
        sigma = timestep / 1000
        alpha = 1 - sigma
    else:
        signal = scheduler.alphas_cumprod[timestep.long()]  # type: ignore[attr-defined]
        alpha, sigma = signal**0.5, (1 - signal) ** 0.5
    alpha, sigma = alpha[:, None, None, None], sigma[:, None, None, None]
    noisy = alpha * clean + sigma * noise
    right = OBJECTIVES[objective].target(clean, noise, alpha, sigma)
    prediction = prediction_of(scheduler)
    torch.testing.assert_close(prediction.noise(right, noisy, timestep), noise)
    torch.testing.assert_close(prediction.prediction(noise, noisy, timestep), right, rtol=1e-4, atol=1e-4)


def test_what_is_predicted_otherwise_is_said() -> None:
    with pytest.raises(RunFailed, match="the UNet predicts sample, which is not turned into ε"):
        prediction_of(DDIMScheduler(prediction_type="sample"))


def unet_inputs(model: Model, timesteps: list[float]) -> dict[str, Tensor]:
    """Two latents with contexts of their own, as the Swift package gives them."""
    generator, spec = torch.Generator().manual_seed(1), model.spec
    return {
        "sample": torch.randn(2, spec.in_channels, 8, 8, generator=generator),
        "timestep": torch.tensor(timesteps),
        "encoder_hidden_states": torch.randn(2, spec.context_dim, 1, spec.context_length, generator=generator),
    }


def of_torch(model: Model, inputs: dict[str, Tensor]) -> Tensor:
    """What the UNet predicts; contexts [B, D, 1, L] are [B, L, D] there."""
    context = inputs["encoder_hidden_states"].squeeze(2).transpose(1, 2)
    with torch.no_grad():
        predicted: Tensor = model.unet(inputs["sample"], inputs["timestep"], context)
    return predicted


def test_v_comes_out_as_noise(tmp_path: Path) -> None:
    model = pixel_model()
    CoreML().write(networks_of_model(model), tmp_path, "fp32", lambda line: None)
    inputs = unet_inputs(model, [999.0, 300.0])
    signal = model.scheduler.alphas_cumprod[[999, 300]][:, None, None, None]
    expected = signal**0.5 * of_torch(model, inputs) + (1 - signal) ** 0.5 * inputs["sample"]
    made = CoreMLProgram(tmp_path / "coreml_fp32" / "Unet.mlpackage")(inputs)
    torch.testing.assert_close(made["noise_pred"], expected, rtol=1e-4, atol=1e-5)


def test_flow_comes_out_as_noise_from_two_chunks(tmp_path: Path) -> None:
    model = replace(pixel_model(), scheduler=scheduler_for(DiffusionSettings(objective="flow"), 8, 1.0))
    plan = Plan(("coreml",), ("fp32",), {"coreml": CoreML(chunks=2)})
    export_model(model, tmp_path / "out", plan=plan, judging=Judging(compared=0, scored=0))
    inputs = unet_inputs(model, [999.0, 123.4])
    share = (inputs["timestep"] / 1000)[:, None, None, None]
    expected = inputs["sample"] + (1 - share) * of_torch(model, inputs)
    first, second = (
        CoreMLProgram(tmp_path / "out" / "coreml_fp32" / f"UnetChunk{number}.mlpackage") for number in (1, 2)
    )
    made = second(inputs | first(inputs))
    torch.testing.assert_close(made["noise_pred"], expected, rtol=1e-4, atol=1e-5)
    card = (tmp_path / "out" / "card.md").read_text(encoding="utf-8").split("## Inputs and outputs")[1]
    (first_row,) = (line for line in card.splitlines() if line.endswith("| `coreml_fp32/UnetChunk1.mlpackage` |"))
    (second_row,) = (line for line in card.splitlines() if line.endswith("| `coreml_fp32/UnetChunk2.mlpackage` |"))
    assert "`encoder_hidden_states` float32 [2, 64, 1, 8] | `hidden_0` float32" in first_row
    assert "`hidden_0` float32" in second_row
    assert "| `noise_pred` float32 [2, 1, 8, 8] |" in second_row


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latents")
    model = latent_model(folder, DDIMScheduler(clip_sample=False, **STABLE_DIFFUSION))
    plan = Plan(forms=("coreml",))
    return export_model(model, folder / "out", plan=plan, judging=Judging(compared=2, scored=0))


def test_packages_have_the_names_shapes_and_types_that_the_swift_package_gives_and_takes(exported: Path) -> None:
    found = {path.stem: CoreMLProgram(path) for path in (exported / "coreml").glob("*.mlpackage")}
    length, dim = found["TextEncoder"].outputs["last_hidden_state"][1][1:]
    assert {name: program.inputs for name, program in found.items()} == {
        "TextEncoder": {"input_ids": ("float32", (1, length))},
        "Unet": {
            "sample": ("float16", (2, 2, 8, 8)),
            "timestep": ("float16", (2,)),
            "encoder_hidden_states": ("float16", (2, dim, 1, length)),
        },
        "VAEDecoder": {"z": ("float16", (1, 2, 8, 8))},
    }
    assert {name: program.outputs for name, program in found.items()} == {
        "TextEncoder": {"last_hidden_state": ("float32", (1, length, dim))},
        "Unet": {"noise_pred": ("float32", (2, 2, 8, 8))},
        "VAEDecoder": {"image": ("float32", (1, 3, 16, 16))},
    }


def test_decoder_takes_latents_that_the_scale_alone_was_divided_from(exported: Path) -> None:
    """The tiny VAE has a scaling factor of 0.7 and a shift of 0.1."""
    from diffusers import AutoencoderKL

    latents = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    vae = AutoencoderKL.from_pretrained(exported.parent / "vae").eval()
    with torch.no_grad():
        expected = vae.decode(latents / 0.7 + 0.1).sample
    made = CoreMLProgram(exported / "coreml" / "VAEDecoder.mlpackage")({"z": latents / 0.7})["image"]
    torch.testing.assert_close(made, expected, rtol=0.02, atol=0.02 * expected.abs().max().item())


def test_packages_draw_nearly_what_torch_draws_and_the_card_says_how_and_with_which_schedulers(exported: Path) -> None:
    export = read_fact(ModelExport, exported / "card.json", "")
    (pictures,) = export.pictures
    assert (pictures.runtime, pictures.precision, pictures.compared) == ("Core ML", "fp16", 2)
    assert pictures.psnr_db is not None
    assert 30 < pictures.psnr_db < 100
    assert pictures.pass_ms is None  # torch's time is none of Core ML
    card = (exported / "card.md").read_text(encoding="utf-8")
    assert "draws with .pndmScheduler and .dpmSolverMultistepScheduler of ml-stable-diffusion" in card
    assert "set decoderScaleFactor to 0.7" in card


def test_schedulers_that_do_not_fit_are_said(tmp_path: Path) -> None:
    notes = []
    for scheduler in (PNDMScheduler(beta_schedule="linear"), FlowMatchEulerDiscreteScheduler()):
        model = latent_model(tmp_path / str(len(notes)), scheduler)
        notes.append("; ".join(remarks(networks_of_model(model), 0.18215)))
    assert "do not fit: their √β rises from √0.00085 to √0.012" in notes[0]
    assert "do not fit a straight path" in notes[1]
    assert "decoderScaleFactor" not in notes[0] + notes[1]


def test_schedulers_of_distilled_models_are_said(tmp_path: Path) -> None:
    how = DistillationFacts(
        method="dmd2", of="a", teacher="a", guidance=2.0, phases=(), settings={}, steps=1, seconds=1.0
    )
    scheduler = DDIMScheduler(clip_sample=False, **STABLE_DIFFUSION)
    said = [
        remarks(networks_of_model(latent_model(tmp_path / str(steps), scheduler, steps=steps, distillation=how)), 1.0)[
            0
        ]
        for steps in (1, 8)
    ]
    assert ".dpmSolverMultistepScheduler of ml-stable-diffusion, timestepSpacing .linspace, stepCount 1" in said[0]
    assert "its few steps are none of ml-stable-diffusion's schedulers" in said[1]


def test_output_that_is_not_finite_is_said_and_no_number() -> None:
    file = ExportedFile(component="decoder", runtime="Core ML", precision="fp16", file="x.mlpackage", note="compared")
    said = compared(file, Parity(float("nan"), float("nan")))
    assert said.parity_max_abs is None
    assert said.note == "compared; it needs more precision: its output is infinite or NaN"


def test_script_lays_out_the_resources(exported: Path, tmp_path: Path) -> None:
    """With a stand-in for Xcode's compiler: this is no Mac."""
    coreml, tools = exported / "coreml", tmp_path / "bin"
    tools.mkdir()
    stand_in = tools / "xcrun"
    stand_in.write_text(
        '#!/bin/sh\n[ "$1 $2" = "coremlcompiler compile" ]\nmkdir "$4/$(basename "$3" .mlpackage).mlmodelc"\n'
    )
    stand_in.chmod(0o755)
    without = subprocess.run(["sh", coreml / "compile.sh"], capture_output=True, text=True, check=False)
    assert (without.returncode, without.stderr) == (
        1,
        "compile.sh: there is no xcrun here; run this on a Mac with Xcode\n",
    )
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    subprocess.run(["sh", coreml / "compile.sh"], env=environment, check=True)
    assert {path.name for path in (coreml / "Resources").iterdir()} == {
        "TextEncoder.mlmodelc",
        "Unet.mlmodelc",
        "VAEDecoder.mlmodelc",
        "vocab.json",
        "merges.txt",
    }
    assert isinstance(json.loads((coreml / "Resources" / "vocab.json").read_text(encoding="utf-8")), dict)
