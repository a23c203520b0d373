"""Folders of diffusers: the ways their weights are kept, and what is said about damaged ones."""

import codecs
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch
from diffusers import UNet2DConditionModel

from archlab.architecture import UNetSpec, diff, find
from archlab.errors import BadInput
from archlab.unet import UNet, build, from_diffusers, to_diffusers
from tests.damaged_unet import WEIGHTS, changed, configured

NAME = "mid_block.attentions.0.proj_in.weight"


@pytest.fixture(scope="module")
def ours(small: UNetSpec) -> UNet:
    return build(small)


@pytest.fixture(scope="module")
def saved(ours: UNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diffusers") / "mit Leerzeichen ä"
    to_diffusers(ours, folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "unet")


def weights(unet: UNet) -> dict[str, torch.Tensor]:
    return {name: tensor.detach() for name, tensor in unet.state_dict().items()}


def test_a_sharded_model_is_read(saved: Path, ours: UNet, tmp_path: Path) -> None:
    UNet2DConditionModel.from_pretrained(saved).save_pretrained(tmp_path, max_shard_size="300KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    torch.testing.assert_close(weights(from_diffusers(tmp_path)[1]), weights(ours), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_precision_variant_is_read_as_float32(
    dtype: torch.dtype, saved: Path, ours: UNet, tmp_path: Path
) -> None:
    UNet2DConditionModel.from_pretrained(saved).to(dtype).save_pretrained(tmp_path, variant="fp16")
    read = weights(from_diffusers(tmp_path)[1])
    torch.testing.assert_close(read, {name: tensor.to(dtype).float() for name, tensor in weights(ours).items()})


@pytest.mark.parametrize("name", ["config.json", "diffusion_pytorch_model.safetensors.index.json"])
def test_a_byte_order_mark_is_read_over(name: str, saved: Path, ours: UNet, tmp_path: Path) -> None:
    UNet2DConditionModel.from_pretrained(saved).save_pretrained(tmp_path, max_shard_size="300KB")
    path = tmp_path / name
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    torch.testing.assert_close(weights(from_diffusers(tmp_path)[1]), weights(ours), rtol=0, atol=0)


def test_a_pipeline_folder_is_its_unet(folder: Path, small: UNetSpec) -> None:
    (folder.parent / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    assert from_diffusers(folder.parent)[0] == from_diffusers(str(folder))[0] == small
    assert find("unet", relative_to=folder.parent) == find(str(folder.parent)) == small
    assert diff(find(str(folder)), small) == []


def test_writing_replaces_an_older_unet_and_nothing_else(ours: UNet, folder: Path) -> None:
    (folder / "leftover").write_text("")
    to_diffusers(ours, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", WEIGHTS]
    with pytest.raises(BadInput, match="is not a diffusers UNet"):
        to_diffusers(ours, folder.parent)
    assert [path.name for path in folder.parent.iterdir()] == ["unet"]


def test_a_failed_write_leaves_the_old_unet(ours: UNet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(UNet2DConditionModel, "save_pretrained", full)
    with pytest.raises(OSError, match="no space"):
        to_diffusers(ours, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["unet"]
    assert (folder / WEIGHTS).is_file()


def sharded(content: str) -> Callable[[Path], object]:
    """Replace the weights by an index."""

    def damage(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder.parent / "secret.safetensors")
        (folder / f"{WEIGHTS}.index.json").write_text(content)

    return damage


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no such folder"),
    "no config": (lambda f: (f / "config.json").unlink(), "there is neither config.json nor unet/config.json"),
    "config not JSON": (lambda f: (f / "config.json").write_text('{"sample'), "not JSON"),
    "config nested too deeply": (lambda f: (f / "config.json").write_text("[" * 100_000), "not JSON"),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), "not the config of a diffusers UNet2D"),
    "config binary": (lambda f: (f / "config.json").write_bytes(b"\xff\x00"), "not a UTF-8 text file"),
    "another class": (configured(_class_name="AutoencoderKL"), "not the config of a diffusers UNet2DConditionModel"),
    "another network": (configured(act_fn="mish"), "act_fn: 'mish' cannot be expressed"),
    "weights absent": (lambda f: (f / WEIGHTS).unlink(), f"no weights; {WEIGHTS} is needed"),
    "weights a pickle": (lambda f: (f / WEIGHTS).rename(f / "diffusion_pytorch_model.bin"), "safe_serialization=True"),
    "weights truncated": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]), "damaged"),
    "weights garbage": (lambda f: (f / WEIGHTS).write_bytes(b"\xff" * 64), "damaged"),
    "weights empty": (lambda f: (f / WEIGHTS).write_bytes(b""), "damaged"),
    "tensor missing": (changed(lambda t: t.pop(NAME)), f"missing tensors: 1, the first is {NAME!r}"),
    "tensor unexpected": (changed(lambda t: t.update(extra=t[NAME].clone())), "unexpected tensors: 1"),
    "weights of another width": (configured(cross_attention_dim=32), "has shape [16, 24]; this config needs [16, 32]"),
    "weights of another depth": (configured(layers_per_block=3), "missing tensors: "),
    "not a number": (changed(lambda t: t[NAME].view(-1)[3].fill_(float("nan"))), f"{NAME} has values that are not"),
    "infinite": (changed(lambda t: t[NAME].view(-1)[3].fill_(float("inf"))), f"{NAME} has values that are not finite"),
    "integers": (changed(lambda t: t.update({NAME: t[NAME].to(torch.int8)})), f"{NAME} is torch.int8"),
    "index garbage": (sharded("{"), "has no weight_map"),
    "index of nothing": (sharded('{"weight_map": []}'), "has no weight_map"),
    "index leads elsewhere": (sharded('{"weight_map": {"a": "../secret.safetensors"}}'), "is not a file beside it"),
    "index of an absent file": (sharded('{"weight_map": {"a": "gone.safetensors"}}'), "gone.safetensors: no such file"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_folder_is_refused_in_one_line_with_its_path(case: str, folder: Path) -> None:
    damage, message = DAMAGES[case]
    damage(folder)
    with pytest.raises(BadInput) as caught:
        from_diffusers(folder)
    assert str(caught.value).startswith(str(folder))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_unet_is_refused_on_both_ways() -> None:
    with pytest.raises(BadInput, match="takes a UNet2DConditionModel or its folder, not int"):
        from_diffusers(cast(Path, 3))
    with pytest.raises(BadInput, match="takes a UNet that archlab built, not Linear"):
        to_diffusers(cast(UNet, torch.nn.Linear(1, 1)))
