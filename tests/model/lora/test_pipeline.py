"""Plain diffusers draws with a LoRA of archlab's what archlab draws: as it is, from kohya's form, and fused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from archlab.architecture import UNetSpec
from archlab.model import Model, load_model
from archlab.model.folder import save_model
from archlab.unet.lora import read_lora, write_lora
from archlab.unet.lora.files import WEIGHTS_FILE
from tests.encoders.tiny import save_clip, save_kl
from tests.model.test_plain_diffusers import DRAW, OWN, PLAIN, PROMPTS, SEEDS, model
from tests.model.without_archlab import run_without_archlab
from tests.unet.test_lora import learnt, lora_of

DRAWN = (
    DRAW
    + """
images = {}
for name in ("plain", "own"):
    fresh = lambda: DiffusionPipeline.from_pretrained(f"models/{name}", trust_remote_code=True)
    pipeline = fresh()
    images[f"{name} without"] = drawn(pipeline)
    pipeline.load_lora_weights(f"loras/{name}")
    images[f"{name} apart"] = drawn(pipeline)
    pipeline.fuse_lora(components=["unet"])
    pipeline.unload_lora_weights()
    images[f"{name} fused"] = drawn(pipeline)
    if name == "plain":
        pipeline = fresh()
        pipeline.load_lora_weights("loras/kohya.safetensors")
        images["plain kohya"] = drawn(pipeline)
save_file(images, "images")
"""
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("place")
    save_kl(place / "vae", channels=3)
    save_clip(place / "text")
    for name, spec in (("plain", PLAIN), ("own", OWN)):
        made = model(spec, place)
        save_model(made, place / "models" / name)
        lora = lora_of(learnt(made.unet))
        write_lora(lora, place / "loras" / name / WEIGHTS_FILE, spec)
        if name == "plain":
            write_lora(lora, place / "loras" / "kohya.safetensors", spec, "kohya")
    run_without_archlab(DRAWN, place)
    return place


def with_lora(place: Path, name: str, file: str, spec: UNetSpec) -> Model:
    loaded = load_model(place / "models" / name)
    return loaded.with_loras([(read_lora(place / "loras" / file, spec), 1.0)])


@pytest.mark.parametrize(("name", "spec"), [("plain", PLAIN), ("own", OWN)])
def test_the_picture_is_the_same_however_the_lora_comes(name: str, spec: UNetSpec, place: Path) -> None:
    images = load_file(place / "images")
    ours = with_lora(place, name, name, spec).draw(PROMPTS, SEEDS)
    assert (ours - images[f"{name} without"]).abs().max() > 0.02
    forms = ("apart", "fused", "kohya") if name == "plain" else ("apart", "fused")
    for form in forms:
        torch.testing.assert_close(images[f"{name} {form}"], ours, atol=1e-4, rtol=0)
    if name == "plain":
        read_back = with_lora(place, name, "kohya.safetensors", spec).draw(PROMPTS, SEEDS)
        torch.testing.assert_close(read_back, ours, atol=1e-5, rtol=0)
