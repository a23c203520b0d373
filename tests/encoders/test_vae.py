import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from archlab.data.captioned import CaptionedImages
from archlab.data.load import load_data
from archlab.encoders.vae import Vae
from archlab.errors import BadInput
from tests.encoders.tiny import save_kl, save_taesd

HALF = {"rtol": 1e-3, "atol": 1e-4}
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def kl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kl")
    save_kl(folder)
    return folder


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"scaling_factor": 1.5, "shift_factor": 0.06},
        {"scaling_factor": 0.5, "latents_mean": [-1.0, 0.5], "latents_std": [2.0, 0.25]},
    ],
)
@torch.no_grad()
def test_autoencoder_kl_as_diffusers_pipelines_use_it(
    changes: dict[str, Any], images: torch.Tensor, tmp_path: Path
) -> None:
    theirs = save_kl(tmp_path, **changes)
    ours = Vae(str(tmp_path))
    assert (ours.channels, ours.image_size(8)) == (2, 16)
    config = theirs.config
    mean = torch.tensor(config.latents_mean or config.shift_factor or 0.0).reshape(1, -1, 1, 1)
    std = torch.tensor(config.latents_std or 1.0).reshape(1, -1, 1, 1)
    raw = theirs.encode(images).latent_dist.mode()
    latents = ours.encode(images)
    torch.testing.assert_close(latents, (raw - mean) * config.scaling_factor / std)
    drawn = theirs.decode(latents * std / config.scaling_factor + mean).sample  # as the pipelines write it
    torch.testing.assert_close(ours.decode(latents), drawn.clamp(-1, 1), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_autoencoder_tiny(images: torch.Tensor, tmp_path: Path) -> None:
    theirs = save_taesd(tmp_path, scaling_factor=2.0)
    ours = Vae(str(tmp_path))
    latents = ours.encode(images)
    torch.testing.assert_close(latents, theirs.encode(images).latents * 2)
    torch.testing.assert_close(ours.decode(latents), theirs.decode(latents / 2).sample.clamp(-1, 1))
    assert ours.decode(latents).shape == images.shape


@torch.no_grad()
def test_rows_are_the_latents_of_the_data_in_fp16(kl: Path) -> None:
    data = load_data("digits", 16)
    heard: list[float] = []
    rows = Vae(str(kl)).rows(data, heard.append)
    assert rows.shape == (1797, 2, 8, 8)
    picked = torch.tensor([1796, 0, 1023, 1024, 0])
    theirs = AutoencoderKL.from_pretrained(kl)
    expected = theirs.encode(data.images[picked]).latent_dist.mode() * theirs.config.scaling_factor
    assert rows[picked].dtype == torch.float32
    torch.testing.assert_close(rows[picked], expected, **HALF)
    assert heard == sorted(heard)
    assert heard[-1] == 1


def test_part_of_a_pipeline_and_its_fp16_variant_are_found(kl: Path, images: torch.Tensor, tmp_path: Path) -> None:
    shutil.copytree(kl, tmp_path / "vae")
    (tmp_path / "vae" / WEIGHTS).rename(tmp_path / "vae" / "diffusion_pytorch_model.fp16.safetensors")
    torch.testing.assert_close(Vae(str(tmp_path)).encode(images), Vae(str(kl)).encode(images))


def test_id_follows_the_weights_and_where_it_runs(kl: Path, tmp_path: Path) -> None:
    same, other = tmp_path / "same", tmp_path / "other"
    shutil.copytree(kl, same)
    shutil.copytree(kl, other)
    weights = load_file(other / WEIGHTS)
    weights["decoder.conv_in.bias"][0] += 1
    save_file(weights, other / WEIGHTS)
    assert Vae(str(same)).id == Vae(str(kl)).id
    assert len({Vae(str(kl)).id, Vae(str(other)).id, Vae(str(kl), torch.device("cuda")).id}) == 3


def test_libraries_say_nothing(kl: Path, images: torch.Tensor, capfd: pytest.CaptureFixture[str]) -> None:
    Vae(str(kl)).encode(images)
    assert capfd.readouterr() == ("", "")


def test_images_that_it_cannot_take_are_refused(kl: Path, digits: CaptionedImages) -> None:
    vae = Vae(str(kl))
    with pytest.raises(BadInput, match=r"vae: .* takes images of 1 channels, these have 3"):
        vae.encode(torch.zeros(1, 3, 8, 8))
    with pytest.raises(BadInput, match=r"sides are multiples of 2, not 8 × 7"):
        vae.encode(torch.zeros(1, 1, 8, 7))


def _pickle(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "diffusion_pytorch_model.bin")


def _fewer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights["decoder.conv_in.bias"]
    save_file(weights, folder / WEIGHTS)


def _config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: shutil.rmtree(f), "no such folder"),
        (lambda f: (f / "config.json").unlink(), "neither config.json nor vae/config.json"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "not the config of a model"),
        (
            lambda f: _config(f, _class_name="UNet2DConditionModel"),
            "the config of no VAE but of 'UNet2DConditionModel'; valid: AutoencoderKL, AutoencoderTiny",
        ),
        (lambda f: _config(f, down_block_types=["Nothing"] * 2), "not a config of AutoencoderKL: .*Nothing"),
        (lambda f: _config(f, scaling_factor="big"), "scaling_factor must be a number but is 'big'"),
        (lambda f: _config(f, latent_channels=3), "cannot be read: .* shape"),
        (_pickle, r"the weights are a pickle \(.bin\), which archlab does not open"),
        (lambda f: (f / WEIGHTS).unlink(), f"no weights; {WEIGHTS} is needed"),
        (lambda f: (f / WEIGHTS).write_bytes(b"damaged"), "cannot be read: .*; fetch or save it again"),
        (_fewer, "missing tensors: 1, the first is 'decoder.conv_in.bias'"),
    ],
)
def test_what_is_no_vae_is_refused_in_one_line(damage: Any, message: str, kl: Path, tmp_path: Path) -> None:
    folder = tmp_path / "vae"
    shutil.copytree(kl, folder)
    damage(folder)
    with pytest.raises(BadInput, match=f"^vae: {tmp_path}.*{message}") as caught:
        Vae(str(folder)).encode(torch.zeros(1, 1, 8, 8))
    assert "\n" not in str(caught.value)


def test_latents_that_are_no_numbers_are_refused(digits: CaptionedImages, tmp_path: Path) -> None:
    vae = save_kl(tmp_path)
    vae.encoder.conv_in.bias.data[0] = float("nan")
    vae.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"vae: .*: rows 0 to \d+ are encoded as values that are infinite, NaN"):
        Vae(str(tmp_path)).rows(digits)
