"""A model with a VAE and CLIP is a pipeline of diffusers': without archlab it draws the same, learns and is saved."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import archlab
from archlab.architecture import Transformer, UNetSpec, map_blocks
from archlab.architecture.presets import stable_diffusion
from archlab.diffusion.settings import DiffusionSettings
from archlab.encoders.clip import Clip
from archlab.encoders.vae import Vae
from archlab.errors import BadInput
from archlab.model import Model, load_model
from archlab.model.facts import ModelFacts
from archlab.model.folder import save_model
from archlab.model.schedulers import scheduler_for
from archlab.model.unet_folder import read_unet
from archlab.unet.untrained import untrained
from tests.encoders.tiny import save_clip, save_kl

from .without_archlab import run_without_archlab

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
PROMPTS, SEEDS, STEPS, GUIDANCE = ["a red circle", "a blue square"], [3, 4], 3, 2.5

PLAIN = replace(
    stable_diffusion(channels=(16, 32), depths=(1, 1), heads=(2, 4), sample_size=8, context_dim=16, norm_groups=4),
    in_channels=2,
    out_channels=2,
)
SMALL = Transformer(heads=2, kv_sharing="all", attention_normalizer="relu", ff_ratio=4)
OWN = map_blocks(
    PLAIN, lambda block, _: replace(block, conv="separable", transformers=(SMALL,) * bool(block.transformers))
)


def model(spec: UNetSpec, encoders: Path) -> Model:
    settings = DiffusionSettings(schedule="scaled_linear")
    facts = ModelFacts(
        name="mine",
        architecture=spec.id,
        diffusion=settings,
        steps=STEPS,
        guidance=GUIDANCE,
        image_size=16,
        context_length=77,
        archlab=archlab.__version__,
    )
    return Model(
        unet=untrained(spec, 5).eval(),
        scheduler=scheduler_for(settings, 8, 4.0),
        codec=Vae(str(encoders / "vae")),
        text=Clip(str(encoders / "text"), None),
        facts=facts,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With ``models/mine``, which is plain, and ``models/small``, which diffusers has no class for, and all that is
    made of them without archlab: by the code here and by that of the page on models."""
    place = tmp_path_factory.mktemp("place")
    save_kl(place / "vae", channels=3)
    save_clip(place / "text")
    save_model(model(PLAIN, place), place / "models" / "mine")
    save_model(model(OWN, place), place / "models" / "small")
    run_without_archlab("\n".join([BOTH, AGAIN, *documented("DiffusionPipeline")]), place)
    return place


def documented(word: str) -> list[str]:
    """The page's blocks of Python that have the word."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if word in block]


DRAW = f"""
import json
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file

def drawn(pipeline, **further):
    generators = [torch.Generator().manual_seed(seed) for seed in {SEEDS}]
    images = pipeline({PROMPTS}, generator=generators, num_inference_steps={STEPS}, guidance_scale={GUIDANCE},
        output_type="pt", **further).images
    return 2 * images - 1
"""

BOTH = (
    DRAW
    + """
own = "models/small"
try:
    DiffusionPipeline.from_pretrained(own)  # diffusers 0.36 does not ask
except ValueError as error:
    assert "trust_remote_code" in str(error)
plain = DiffusionPipeline.from_pretrained("models/mine")
pipeline = DiffusionPipeline.from_pretrained(own, trust_remote_code=True)
first = drawn(pipeline)
save_file({"mine": drawn(plain), "small": first}, "images")
plain.save_pretrained("models/plain_again")
old = Path("models/plain_again/scheduler/scheduler_config.json")
old.write_text(json.dumps(json.loads(old.read_text()) | {"clip_sample": True, "steps_offset": 0}))
save_file({"old": drawn(DiffusionPipeline.from_pretrained("models/plain_again"))}, "old")

from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

layers = LoraConfig(r=4, lora_alpha=4, target_modules=["query", "key_value", "expand"], init_lora_weights=False)
torch.manual_seed(0)
pipeline.unet.add_adapter(layers)
pipeline.unet.save_pretrained("apart")
StableDiffusionPipeline.save_lora_weights("loras/style", unet_lora_layers=get_peft_model_state_dict(pipeline.unet))
with_adapter = drawn(pipeline)
assert (with_adapter - first).abs().max() > 0.01
fresh = DiffusionPipeline.from_pretrained(own, trust_remote_code=True)
fresh.load_lora_weights("loras/style")
torch.testing.assert_close(drawn(fresh), with_adapter, rtol=0, atol=1e-5)
torch.testing.assert_close(drawn(fresh, cross_attention_kwargs={"scale": 0.0}), first, rtol=0, atol=1e-5)
fresh.fuse_lora(components=["unet"])
fresh.unload_lora_weights()
torch.testing.assert_close(drawn(fresh), with_adapter, rtol=0, atol=1e-4)
fresh.save_pretrained("models/fused")
save_file({"fused": with_adapter}, "fused")
"""
)

AGAIN = """
import shutil

code = Path("models/small/unet/modeling_archlab.py")
pipeline = DiffusionPipeline.from_pretrained("models/small", trust_remote_code=True)
shutil.copytree("models/small", "models/other")
Path("models/other/unet/modeling_archlab.py").write_text(code.read_text() + "# of another version\\n")
DiffusionPipeline.from_pretrained("models/other", trust_remote_code=True)
pipeline.save_pretrained("models/saved")
assert Path("models/saved/unet/modeling_archlab.py").read_bytes() == code.read_bytes()
assert json.loads(Path("models/saved/model_index.json").read_text())["unet"] == ["modeling_archlab", "ArchlabUNet"]
shutil.rmtree("modules")
again = DiffusionPipeline.from_pretrained("models/saved", trust_remote_code=True)
assert torch.equal(drawn(again), drawn(pipeline))
"""


def test_diffusers_draws_the_same_and_takes_loras(place: Path) -> None:
    images = load_file(place / "images")
    for name in ("mine", "small"):
        ours = load_model(place / "models" / name).draw(PROMPTS, SEEDS)
        assert ours.abs().mean() > 0.1
        torch.testing.assert_close(images[name], ours, rtol=0, atol=1e-4)
    fused = load_model(place / "models" / "fused").draw(PROMPTS, SEEDS, steps=STEPS, guidance=GUIDANCE)
    torch.testing.assert_close(fused, load_file(place / "fused")["fused"], rtol=0, atol=1e-4)
    again = load_model(place / "models" / "plain_again").draw(PROMPTS, SEEDS, steps=STEPS, guidance=GUIDANCE)
    torch.testing.assert_close(again, load_file(place / "old")["old"], rtol=0, atol=1e-4)


def test_saved_again_by_diffusers_it_loads_again(place: Path) -> None:
    drawn, before = (load_model(place / "models" / name) for name in ("saved", "small"))
    assert drawn.spec == before.spec == OWN
    assert torch.equal(
        drawn.draw(PROMPTS, SEEDS, steps=2, guidance=1.5), before.draw(PROMPTS, SEEDS, steps=2, guidance=1.5)
    )


def test_a_lora_that_is_not_fused_is_said(place: Path) -> None:
    with pytest.raises(BadInput, match=r"apart: a LoRA is apart from the weights: fuse_lora\(\), "):
        read_unet(place / "apart")


def test_code_of_the_page_on_models(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert load_model("models/again").spec == OWN  # the page's own code saved it
    (block,) = documented("load_model")
    names: dict[str, object] = {}
    exec(block, names)
    assert isinstance(images := names["images"], list)
    assert [image.size for image in images] == [(16, 16)] * 2


def configured(file: str, **change: object) -> Callable[[Path], object]:
    """Change a JSON file."""

    def damage(folder: Path) -> None:
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | change))

    return damage


def truncated(file: str) -> Callable[[Path], object]:
    """Cut a file's end off."""
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:-9])


UNET, VAE, TEXT = "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors", "text_encoder"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "facts garbage": (lambda f: (f / "archlab.json").write_text("{"), "archlab.json: damaged"),
    "facts of another model": (configured("archlab.json", architecture="0" * 12), "of different architectures"),
    "facts with an unknown key": (configured("archlab.json", colour="red"), "archlab.json"),
    "scheduler absent": (lambda f: shutil.rmtree(f / "scheduler"), "scheduler_config.json: no such file"),
    "scheduler garbage": (lambda f: (f / "scheduler/scheduler_config.json").write_text("]"), "scheduler_config.json"),
    "scheduler of no class": (configured("scheduler/scheduler_config.json", _class_name="os"), "is called 'os'"),
    "scheduler of wrong types": (configured("scheduler/scheduler_config.json", beta_end="x"), "scheduler_config.json"),
    "unet absent": (lambda f: shutil.rmtree(f / "unet"), "unet"),
    "unet truncated": (truncated(UNET), f"{UNET}: damaged"),
    "unet of another network": (
        configured("unet/config.json", cross_attention_dim=24),
        "not the network of config.json",
    ),
    "vae absent": (lambda f: shutil.rmtree(f / "vae"), "vae"),
    "vae truncated": (truncated(VAE), VAE),
    "vae of another class": (configured("vae/config.json", _class_name="VQModel"), "the config of no VAE"),
    "text encoder truncated": (truncated(f"{TEXT}/model.safetensors"), f"{TEXT}: the weights cannot be read"),
    "text encoder of another class": (configured(f"{TEXT}/config.json", model_type="t5"), "the config of no CLIP"),
    "text encoder absent": (lambda f: shutil.rmtree(f / TEXT), "text: "),
    "tokenizer absent": (lambda f: shutil.rmtree(f / "tokenizer"), "no tokenizer"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_model_is_refused_in_one_line_with_its_path(case: str, place: Path, tmp_path: Path) -> None:
    damage, message = DAMAGES[case]
    folder = shutil.copytree(place / "models" / "mine", tmp_path / "mine")
    damage(folder)
    with pytest.raises(BadInput) as caught:
        load_model(folder).generate("a red circle", steps=1)
    assert str(folder) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
