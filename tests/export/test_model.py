"""A model's export: its program draws what torch draws, and its card says how nearly each precision does."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, PNDMScheduler
from skimage.metrics import peak_signal_noise_ratio

from archlab.data.load import load_data
from archlab.errors import BadInput, RunFailed
from archlab.evaluation.fact import read_fact
from archlab.export import Judging, Plan, export_model
from archlab.export.drawing import Drawing
from archlab.export.model_card import ModelExport
from archlab.model import Model, load_model
from archlab.model.model import picture
from tests.export.models import latent_model, pixel_model
from tests.export.program import drawn_by_program, run_sample, share_within_one

TFLITE = Plan(forms=("tflite",))


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    model = pixel_model(data="digits")
    return model, export_model(model, tmp_path_factory.mktemp("exports") / "pixels", judging=Judging(4, 20))


@pytest.fixture(scope="module")
def latents(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    folder = tmp_path_factory.mktemp("exports")
    model = latent_model(folder / "parts")
    return model, export_model(model, folder / "latents", plan=Plan(forms=("tflite", "diffusers")))


@pytest.mark.parametrize("how", [{}, {"steps": 1}, {"steps": 50, "guidance": 1}, {"guidance": 5}], ids=str)
def test_program_draws_pixels_as_torch_does(pixels: tuple[Model, Path], how: dict[str, float]) -> None:
    model, folder = pixels
    prompt, arguments = "A handwritten SEVEN!", [f"--{name}={value}" for name, value in how.items()]
    assert share_within_one(drawn_by_program(folder, model, prompt, *arguments), model, prompt, **how) >= 0.99


@pytest.mark.parametrize("how", [{}, {"steps": 4, "guidance": 7.5}], ids=str)
def test_program_draws_through_clip_and_vae_as_torch_does(latents: tuple[Model, Path], how: dict[str, float]) -> None:
    model, folder = latents
    prompt, arguments = "a red circle, it's naïve 🙂", [f"--{name}={value}" for name, value in how.items()]
    assert share_within_one(drawn_by_program(folder, model, prompt, *arguments), model, prompt, **how) >= 0.99


@pytest.mark.parametrize(
    "scheduler",
    [
        DPMSolverMultistepScheduler(timestep_spacing="trailing"),
        DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    ],
    ids=["dpm", "flow"],
)
def test_program_draws_with_other_schedulers_as_torch_does(scheduler: object, tmp_path: Path) -> None:
    model = replace(pixel_model(), scheduler=scheduler)
    folder = export_model(model, tmp_path / "out", plan=replace(TFLITE, precisions=("fp32",)), judging=Judging(0, 0))
    assert share_within_one(drawn_by_program(folder, model, "a seven"), model, "a seven") >= 0.99


def test_program_has_noise_of_its_own_says_what_it_took_and_which_word_was_never_seen(
    pixels: tuple[Model, Path], tmp_path: Path
) -> None:
    _, folder = pixels
    said = run_sample(folder, "a handwritten zebra", "--seed", "1", "--out", str(tmp_path / "one.png"))
    assert "the word 'zebra' is in no caption" in said
    assert "16 passes" in said
    run_sample(folder, "a handwritten zebra", "--seed", "2", "--out", str(tmp_path / "two.png"))
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes()


def test_card_says_how_far_the_images_of_each_precision_are_and_how_they_score(pixels: tuple[Model, Path]) -> None:
    model, folder = pixels
    card = read_fact(ModelExport, folder / "card.json")
    by_precision = {those.precision: those for those in card.pictures if those.runtime == "TFLite"}
    assert by_precision["fp32"].psnr_db > 80
    assert by_precision["fp32"].psnr_db > by_precision["fp16"].psnr_db > by_precision["int8"].psnr_db > 5
    assert card.pictures[0].runtime == "torch"
    assert by_precision["fp32"].scores["fid"].value == pytest.approx(card.pictures[0].scores["fid"].value, rel=1e-2)
    text = (folder / "card.md").read_text(encoding="utf-8")
    assert f"| {by_precision['int8'].psnr_db:.1f} | 4 images, 8 steps |" in text
    assert "| TFLite | unet | `sample` float32 [1, 1, 8, 8]<br>`timestep` float32 [1]<br>" in text
    assert model.facts.architecture in text


def test_psnr_of_int8_is_that_of_what_the_program_draws(pixels: tuple[Model, Path]) -> None:
    model, folder = pixels
    prompts, _ = load_data("digits", 8).prompts_to_draw(4)
    ours = [
        drawn_by_program(folder, model, prompt, "--precision", "int8", seed=seed) for seed, prompt in enumerate(prompts)
    ]
    theirs = [np.asarray(picture(image), dtype=int) for image in model.draw(prompts, range(4))]
    (stated,) = (
        those.psnr_db for those in read_fact(ModelExport, folder / "card.json").pictures if those.precision == "int8"
    )
    found = peak_signal_noise_ratio(np.stack(theirs), np.stack(ours), data_range=255)
    assert found == pytest.approx(stated, abs=0.3)  # of whole grey values


def test_scheduler_file_has_what_a_program_needs(latents: tuple[Model, Path]) -> None:
    model, folder = latents
    drawing = read_fact(Drawing, folder / "scheduler.json")
    assert (drawing.prediction_type, drawing.clip_range, drawing.guidance, drawing.steps) == ("epsilon", None, 2, 8)
    assert (drawing.image.channels, drawing.image.size, drawing.latents.channels, drawing.latents.size) == (3, 16, 2, 8)
    assert (drawing.latents.scale, drawing.latents.shift) == (pytest.approx((0.7,)), pytest.approx((0.1,)))
    steps = drawing.schedules["8"]
    assert steps.timesteps == (999, 874, 749, 624, 499, 374, 249, 124)
    assert steps.alphas[0] == pytest.approx(model.scheduler.alphas_cumprod[999].item() ** 0.5)
    assert (steps.next_alphas[-1], steps.next_sigmas[-1]) == (1, 0)
    assert [*drawing.networks] == ["text_encoder", "unet", "decoder"]
    for network in drawing.networks.values():
        assert [*network.files] == ["fp32", "fp16", "int8"]
        assert all((folder / file).is_file() for file in network.files.values())


def test_export_draws_as_the_model_it_was_made_from(latents: tuple[Model, Path]) -> None:
    model, folder = latents
    again = load_model(folder)
    assert again.name == "latents"
    torch.testing.assert_close(again.draw(["a red circle"], [0]), model.draw(["a red circle"], [0]), atol=1e-5, rtol=0)


def test_ddim_stands_in_for_a_scheduler_without_a_table_and_the_card_says_so(tmp_path: Path) -> None:
    model = replace(pixel_model(), scheduler=PNDMScheduler(skip_prk_steps=True))
    folder = export_model(model, tmp_path / "out", plan=replace(TFLITE, precisions=("fp32",)), judging=Judging(0, 0))
    assert "PNDMScheduler cannot be written as a table of steps: DDIM" in (folder / "card.md").read_text("utf-8")
    as_ddim = replace(model, scheduler=DDIMScheduler.from_config(model.scheduler.config, clip_sample=False))
    assert share_within_one(drawn_by_program(folder, as_ddim, "a seven"), as_ddim, "a seven") >= 0.99


def test_an_older_export_is_replaced_and_a_foreign_folder_is_not(tmp_path: Path) -> None:
    plan, judging, out = replace(TFLITE, precisions=("fp16",)), Judging(0, 0), tmp_path / "out"
    export_model(pixel_model(), out, plan=plan, judging=judging)
    (out / "leftover").touch()
    export_model(pixel_model(), out, plan=plan, judging=judging)
    assert sorted(path.name for path in out.iterdir()) == [
        "card.json",
        "card.md",
        "sample.py",
        "scheduler.json",
        "unet_fp16.tflite",
    ]
    (tmp_path / "mine").mkdir()
    with pytest.raises(BadInput, match=r"mine: exists and is not an export; name another folder with --out"):
        export_model(pixel_model(), tmp_path / "mine", plan=plan, judging=judging)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def full(line: str) -> None:
        if "int8" in line:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(RunFailed, match="out: the disk is full; nothing was written"):
        export_model(pixel_model(), tmp_path / "out", plan=TFLITE, judging=Judging(0, 0), say=full)
    assert list(tmp_path.iterdir()) == []


def test_files_of_facts_are_plain_json(pixels: tuple[Model, Path]) -> None:
    _, folder = pixels
    assert json.loads((folder / "scheduler.json").read_text("utf-8"))["text"]["vocabulary"] == [
        "a",
        "handwritten",
        "seven",
    ]
