"""LoRA: fused, written and read in the forms of others, against peft and diffusers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.utils import convert_state_dict_to_kohya
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import archlab
from archlab.architecture import Transformer, map_blocks
from archlab.architecture.presets import stable_diffusion
from archlab.errors import BadInput
from archlab.model.lora.settings import USUAL_TARGETS
from archlab.model.modeling_archlab import ArchlabUNet
from archlab.model.unet_folder import write_unet
from archlab.unet import UNet
from archlab.unet.lora import Factors, Lora, fused, read_lora, write_lora
from archlab.unet.lora.adapter import factors_of, target_layers, with_adapter
from archlab.unet.lora.facts import LoraFacts
from archlab.unet.untrained import untrained

PLAIN = replace(
    stable_diffusion(channels=(16, 32), depths=(1, 1), heads=(2, 4), sample_size=8, context_dim=16, norm_groups=4),
    in_channels=2,
    out_channels=2,
)
SHARED = Transformer(heads=2, kv_sharing="all", attention_normalizer="relu", ff_ratio=4)
OWN = map_blocks(
    PLAIN, lambda block, _: replace(block, conv="separable", transformers=(SHARED,) * bool(block.transformers))
)
EVERYTHING = rf"{USUAL_TARGETS}|.*\.transformers\.project_(in|out)"
RANK, ALPHA = 4, 10.0


def answer(unet: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(2, 2, 8, 8, generator=generator), torch.tensor([10, 800])
    context = torch.randn(2, 5, 16, generator=generator)
    with torch.no_grad():
        out = unet(*inputs, context)
    tensor: Tensor = out if isinstance(out, Tensor) else out.sample
    return tensor


def learnt(unet: UNet, targets: str = EVERYTHING) -> UNet:
    """By peft, with a B that is not 0."""
    adapted = with_adapter(unet, targets, RANK, ALPHA, seed=1)
    generator = torch.Generator().manual_seed(2)
    for name, weight in adapted.named_parameters():
        if ".lora_B." in name:
            weight.data = 0.05 * torch.randn(weight.shape, generator=generator)
    return adapted.eval()


def lora_of(adapted: UNet) -> Lora:
    facts = LoraFacts(base="mine", spec=adapted.spec.to_dict(), alpha=ALPHA, archlab=archlab.__version__)
    return Lora("style", factors_of(adapted), facts)


@pytest.fixture(scope="module", params=[PLAIN, OWN], ids=["diffusers' names", "own names"])
def unet(request: pytest.FixtureRequest) -> UNet:
    return untrained(request.param, 5).eval()


@pytest.fixture(scope="module")
def plain() -> UNet:
    return untrained(PLAIN, 5).eval()


def test_a_fresh_adapter_changes_nothing_and_only_it_learns(unet: UNet) -> None:
    fresh = with_adapter(unet, EVERYTHING, RANK, ALPHA, seed=1).eval()
    assert answer(fresh).equal(answer(unet))
    assert {".lora_" in name for name, each in fresh.named_parameters() if each.requires_grad} == {True}
    layers = target_layers(unet, EVERYTHING)
    assert any("key_value" in name for name in layers) == (unet.spec == OWN)
    assert not any("depthwise" in name for name in layers)
    assert any("pointwise" in name for name in layers) == (unet.spec == OWN)


def test_fused_it_answers_as_pefts_layers_do(unet: UNet) -> None:
    adapted = learnt(unet)
    ours = fused(unet, [(lora_of(adapted), 1.0)], "mine")
    assert (answer(ours) - answer(unet)).abs().max() > 0.05
    torch.testing.assert_close(answer(ours), answer(adapted), atol=1e-5, rtol=0)


def theirs(unet: UNet, folder: Path) -> UNet2DConditionModel | ArchlabUNet:
    write_unet(unet, folder)
    kind = ArchlabUNet if unet.spec == OWN else UNet2DConditionModel
    return kind.from_pretrained(folder).eval()


@pytest.mark.parametrize("has_header", [True, False], ids=["alpha in the header", "header ignored"])
def test_diffusers_answers_the_same(unet: UNet, has_header: bool, tmp_path: Path) -> None:
    adapted = learnt(unet)
    write_lora(lora_of(adapted), tmp_path / "style.safetensors", unet.spec)
    with safe_open(tmp_path / "style.safetensors", "pt") as file:
        header = json.loads(file.metadata()["lora_adapter_metadata"])
    assert (header["unet.r"], header["unet.lora_alpha"]) == (RANK, RANK)
    tensors = load_file(tmp_path / "style.safetensors")
    network = theirs(unet, tmp_path / "unet")
    metadata = {key.removeprefix("unet."): value for key, value in header.items()} if has_header else None
    below = {name.removeprefix("unet."): tensor for name, tensor in tensors.items()}
    network.load_lora_adapter(below, prefix=None, metadata=metadata)
    torch.testing.assert_close(answer(network), answer(adapted), atol=1e-5, rtol=0)


def test_the_kohya_form_is_read_back_by_diffusers_and_here(plain: UNet, tmp_path: Path) -> None:
    adapted, path = learnt(plain), tmp_path / "style.safetensors"
    write_lora(lora_of(adapted), path, PLAIN, "kohya")
    assert {tensor.item() for name, tensor in load_file(path).items() if name.endswith(".alpha")} == {ALPHA}
    network = theirs(plain, tmp_path / "unet")
    tensors, alphas = StableDiffusionLoraLoaderMixin.lora_state_dict(str(path))
    StableDiffusionLoraLoaderMixin.load_lora_into_unet(tensors, alphas, network)
    torch.testing.assert_close(answer(network), answer(adapted), atol=1e-5, rtol=0)
    again = fused(plain, [(read_lora(path, PLAIN), 1.0)], "mine")
    torch.testing.assert_close(answer(again), answer(adapted), atol=1e-5, rtol=0)


def test_loras_of_others_are_read(plain: UNet, tmp_path: Path) -> None:
    network = theirs(plain, tmp_path / "unet")
    from peft import LoraConfig

    torch.manual_seed(3)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_out.0", "conv1"], init_lora_weights=False)
    network.add_adapter(config)
    wanted, tensors = answer(network), get_peft_model_state_dict(network)
    StableDiffusionLoraLoaderMixin.save_lora_weights(
        tmp_path / "new", tensors, unet_lora_adapter_metadata=config.to_dict() | {"target_modules": ["to_q"]}
    )
    prefixed = {f"unet.{name}": tensor for name, tensor in tensors.items()}
    kohya = {
        name: torch.tensor(8.0) if name.endswith("alpha") else tensor  # it writes the rank always
        for name, tensor in convert_state_dict_to_kohya(prefixed).items()
    }
    save_file(kohya, tmp_path / "kohya.safetensors")
    for path in (tmp_path / "new", tmp_path / "kohya.safetensors"):
        read = read_lora(path, PLAIN)
        torch.testing.assert_close(answer(fused(plain, [(read, 1.0)], "mine")), wanted, atol=1e-5, rtol=0)
    old = {
        name.replace("lora_A", "lora.down").replace("lora_B", "lora.up"): tensor for name, tensor in prefixed.items()
    }
    save_file(old, tmp_path / "old.safetensors")  # without any alpha: it counts as the rank
    half = fused(plain, [(read_lora(tmp_path / "old.safetensors", PLAIN), 2.0)], "mine")
    torch.testing.assert_close(answer(half), wanted, atol=1e-5, rtol=0)


def test_several_with_weights_add_up(plain: UNet) -> None:
    one, other = (Lora(name, factors(plain, seed)) for name, seed in (("one", 1), ("other", 2)))
    both = fused(plain, [(one, 0.8), (other, -0.5)], "mine")
    for layer in one.factors:
        weight = plain.get_parameter(f"{layer}.weight")
        wanted = weight + 0.8 * one.factors[layer].change.view_as(weight)
        wanted = wanted - 0.5 * other.factors[layer].change.view_as(weight)
        torch.testing.assert_close(both.get_parameter(f"{layer}.weight"), wanted)
    convolution = one.factors["conv_in"]  # a convolution by A, then one of 1 × 1 by B
    x = torch.randn(1, 2, 8, 8)
    apart = nn.functional.conv2d(nn.functional.conv2d(x, convolution.down, padding=1), convolution.up)
    torch.testing.assert_close(nn.functional.conv2d(x, convolution.change, padding=1), apart, atol=1e-5, rtol=0)


def factors(unet: UNet, seed: int, rank: int = 3) -> dict[str, Factors]:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for layer in ("conv_in", "down.0.0.transformers.blocks.0.self_attention.query"):
        out, *rest = unet.get_parameter(f"{layer}.weight").shape
        ones = [1] * (len(rest) - 1)
        down, up = torch.randn(rank, *rest, generator=generator), torch.randn(out, rank, *ones, generator=generator)
        found[layer] = Factors(0.1 * down, 0.1 * up)
    return found


QUERY = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
A, B = f"{QUERY}.lora_A.weight", f"{QUERY}.lora_B.weight"
GOOD = {A: torch.ones(4, 16), B: torch.ones(16, 4)}
BAD: dict[str, tuple[dict[str, Tensor], str]] = {
    "another width": ({A: torch.ones(4, 32), B: torch.ones(32, 4)}, "is 16×16 there and 32×32 in the LoRA, which fits"),
    "an unknown layer": (
        {A.replace("to_q", "to_g"): GOOD[A]},
        "has no layer .*to_g'; did you mean .*to_[kqv]",
    ),
    "an unknown key": ({f"{QUERY}.hada_w1": GOOD[A]}, "unknown key .*hada_w1'; a LoRA has lora_A and lora_B"),
    "a half": ({A: GOOD[A]}, "has no up; a LoRA has both"),
    "two ranks": ({A: GOOD[A], B: torch.ones(16, 3)}, "are of two ranks"),
    "rank 0": ({A: torch.ones(0, 16), B: torch.ones(16, 0)}, "a LoRA of rank 0"),
    "no numbers": ({A: GOOD[A] * torch.nan, B: GOOD[B]}, "not finite; the file is damaged"),
    "a text encoder": (
        {**GOOD, "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": torch.ones(())},
        "1 of 3 tensors, like 'lora_te_.*are for a text encoder.*--without-text leaves them out",
    ),
    "nothing": ({}, "has no tensors of a UNet's LoRA"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_said_in_one_line(case: str, plain: UNet, tmp_path: Path) -> None:
    tensors, message = BAD[case]
    save_file(tensors, tmp_path / "style.safetensors")
    with pytest.raises(BadInput, match=message) as caught:
        read_lora(tmp_path / "style.safetensors", plain.spec).check_fit(plain, "mine")
    assert "\n" not in str(caught.value)


def test_files_of_another_kind_are_refused(plain: UNet, tmp_path: Path) -> None:
    (tmp_path / "style.safetensors").write_bytes(b"PK\x03\x04" * 9)
    with pytest.raises(BadInput, match=r"style.safetensors: no safetensors file, or a damaged one"):
        read_lora(tmp_path / "style.safetensors", plain.spec)
    with pytest.raises(BadInput, match=r"there.safetensors: no such file; a LoRA is a .safetensors file, or a folder"):
        read_lora(tmp_path / "there.safetensors", plain.spec)
    save_file({**GOOD, "lora_te_x.alpha": torch.ones(())}, tmp_path / "style.safetensors")
    kept = read_lora(tmp_path / "style.safetensors", plain.spec, without_text=True)
    assert list(kept.factors) == ["down.0.0.transformers.blocks.0.self_attention.query"]
    with pytest.raises(BadInput, match="was not written by archlab: archlab lora import FILE --model MODEL first"):
        read_lora(tmp_path / "style.safetensors", without_text=True)


def test_another_scale_than_alpha_over_rank_is_refused(plain: UNet, tmp_path: Path) -> None:
    header = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 4, "unet.use_rslora": True})}
    save_file(GOOD, tmp_path / "style.safetensors", header)
    with pytest.raises(BadInput, match="its header says use_rslora"):
        read_lora(tmp_path / "style.safetensors", plain.spec)


def test_own_layers_have_no_names_in_kohyas_form(tmp_path: Path) -> None:
    own = untrained(OWN, 5)
    lora = lora_of(learnt(own, r".*\.key_value"))
    with pytest.raises(BadInput, match=r"which has no place for: separable convolutions .*; take diffusers' form"):
        write_lora(lora, tmp_path / "style.safetensors", OWN, "kohya")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("targets", "message"),
    [("to_q", "'to_q' is the name of no layer; names are like down.0.0.*attention"), (".*depthwise", "a depthwise")],
)
def test_layers_that_cannot_learn_are_refused(targets: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        with_adapter(untrained(OWN, 5), targets, RANK, ALPHA, seed=0)
