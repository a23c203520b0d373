"""A control's folder is a model of diffusers': without archlab its pipelines draw the same along it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from archlab.architecture import UNetSpec, preset
from archlab.model import load_control, load_model
from archlab.model.controls.network_folder import read_network, write_network
from archlab.model.folder import save_model
from archlab.unet.adapter import Adapter
from archlab.unet.controlled import ControlNetwork
from archlab.unet.controlnet import controlnet_of
from tests.encoders.tiny import save_clip, save_kl
from tests.model.test_plain_diffusers import GUIDANCE, OWN, PLAIN, PROMPTS, SEEDS, STEPS, model
from tests.model.without_archlab import run_without_archlab

FACTOR, SIZE, SCALE = 2, 16, 0.7
ODD = preset("mobilediffusion").scaled(width=0.1, sample_size=8)  # its first stage has no transformers
SPECS = {"mine": PLAIN, "small": OWN}
CLASSES = {
    ("mine", "controlnet"): "ControlNetModel",
    ("mine", "adapter"): "T2IAdapter",
    ("small", "controlnet"): "ArchlabControlNet",
    ("small", "adapter"): "T2IAdapter",
}

CODE = f"""
import torch
from diffusers import (
    AutoModel, DiffusionPipeline, StableDiffusionAdapterPipeline, StableDiffusionControlNetPipeline
)
from PIL import Image
from safetensors.torch import save_file

images = {{}}
for name in ("mine", "small"):
    pipeline = DiffusionPipeline.from_pretrained(f"models/{{name}}", trust_remote_code=True)
    parts = pipeline.components
    for kind in ("controlnet", "adapter"):
        code = {{"trust_remote_code": True}} if (name, kind) == ("small", "controlnet") else {{}}
        network = AutoModel.from_pretrained(f"controls/{{name}}-{{kind}}", **code)
        own = StableDiffusionAdapterPipeline if kind == "adapter" else StableDiffusionControlNetPipeline
        scale = "adapter_conditioning_scale" if kind == "adapter" else "controlnet_conditioning_scale"
        drawn = own(**{{key: part for key, part in parts.items() if key != "image_encoder"}}, **{{kind: network}})(
            {PROMPTS}, image=[Image.open("picture.png")] * 2, num_inference_steps={STEPS}, guidance_scale={GUIDANCE},
            generator=[torch.Generator().manual_seed(seed) for seed in {SEEDS}], output_type="np",
            height={SIZE}, width={SIZE}, **{{scale: {SCALE}}},
        ).images
        images[f"{{name}}-{{kind}}"] = 2 * torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous() - 1
        network.save_pretrained(f"again/{{name}}-{{kind}}")
        AutoModel.from_pretrained(f"again/{{name}}-{{kind}}", **code)
odd = AutoModel.from_pretrained("controls/odd", trust_remote_code=True)
images["odd"] = odd(torch.full((1, 3, {SIZE}, {SIZE}), 0.5))[-1].detach()
save_file(images, "images")
"""


def write(network: ControlNetwork, spec: UNetSpec, folder: Path) -> None:
    """Write it, none of its weights zero."""
    for weight in network.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.3)
    folder.mkdir(parents=True)
    write_network(network, spec, FACTOR, folder)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a model that diffusers has a class for and one that it has not, their controls, and what diffusers draws."""
    place = tmp_path_factory.mktemp("place")
    save_kl(place / "vae", channels=3)
    save_clip(place / "text")
    torch.manual_seed(0)
    for name, spec in SPECS.items():
        made = model(spec, place)
        save_model(made, place / "models" / name)
        for kind, network in (("controlnet", controlnet_of(made.unet, FACTOR)), ("adapter", Adapter(spec, FACTOR))):
            write(network, spec, place / "controls" / f"{name}-{kind}")
    write(Adapter(ODD, FACTOR), ODD, place / "controls" / "odd")
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(place / "picture.png")
    run_without_archlab(CODE, place)
    return place


@pytest.mark.parametrize(("name", "kind"), CLASSES)
def test_diffusers_draws_the_same_along_a_picture(name: str, kind: str, place: Path) -> None:
    ours = load_model(place / "models" / name)
    folder = place / "controls" / f"{name}-{kind}"
    assert f'"_class_name": "{CLASSES[name, kind]}"' in (folder / "config.json").read_text()
    for saved in (folder, place / "again" / f"{name}-{kind}"):
        control = load_control(saved, ours, place / "picture.png", scale=SCALE)
        images = ours.draw(PROMPTS, SEEDS, control=control)
        torch.testing.assert_close(load_file(place / "images")[f"{name}-{kind}"], images, rtol=0, atol=1e-4)
    assert (images - ours.draw(PROMPTS, SEEDS)).abs().max() > 0.01


def test_an_adapter_of_a_layout_that_diffusers_has_not_comes_with_its_code(place: Path) -> None:
    folder = place / "controls" / "odd"
    assert '"_class_name": "ArchlabAdapter"' in (folder / "config.json").read_text()
    ours = read_network(folder, ODD, FACTOR)(torch.full((1, 3, SIZE, SIZE), 0.5)).stages[-1]
    torch.testing.assert_close(load_file(place / "images")["odd"], ours, rtol=0, atol=1e-5)
