"""A UNet's folder: diffusers computes what archlab computes, and archlab reads back what it wrote."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from archlab.architecture import AddedConditioning, Block, Stage, Transformer, UNetSpec, diffusers_obstacles, find
from archlab.architecture.presets import stable_diffusion
from archlab.errors import BadInput
from archlab.model.unet_folder import modeling_code, read_unet, write_unet
from archlab.proxy.evaluate import proxy_spec
from archlab.study import load_definition
from archlab.unet import UNet
from archlab.unet.untrained import untrained
from tests.damaged_unet import WEIGHTS, changed, configured

from .without_archlab import run_without_archlab

SPACE = Path(__file__).parents[2] / "search_spaces" / "mobilediffusion.yaml"
CODE = "modeling_archlab.py"
NAME = "down.0.0.residual.conv1.pointwise.weight"

PLAIN = stable_diffusion(channels=(16, 32), depths=(1, 1), heads=(2, 4), sample_size=8, context_dim=24, norm_groups=4)


def everything() -> UNetSpec:
    """What diffusers has no place for, in one network: every attribute is somewhere other than by default."""
    shared = Transformer(heads=2, kv_sharing="all", attention_normalizer="relu", ff_activation="swish", ff_ratio=3)
    relu = Transformer(heads=4, kv_sharing="self", attention_normalizer="softmax->relu", ff_gated=False, ff_ratio=4)
    alone = Transformer(heads=1, self_attention=False, ff_ratio=0)
    separable = Block(conv="separable", transformers=(shared, alone))
    return UNetSpec(
        sample_size=8,
        in_channels=3,
        out_channels=6,
        context_dim=24,
        context_length=5,
        norm_groups=4,
        stages=(
            Stage(channels=16, down=(separable,), up=(Block(),) * 3),
            Stage(channels=24, down=(Block(),), up=(separable,), downsample="separable"),
            Stage(channels=32, down=(Block(transformers=(relu,)),), up=(Block(),), upsample="standard"),
        ),
        middle=(Block(transformers=(shared, relu)),),
        added=AddedConditioning(text_dim=10, time_ids=3, time_dim=4),
        guidance_dim=6,
    )


def inputs(spec: UNetSpec) -> dict[str, torch.Tensor]:
    """By diffusers' names; two of each."""
    generator = torch.Generator().manual_seed(0)
    made = {
        "sample": torch.randn(2, spec.in_channels, spec.sample_size, spec.sample_size, generator=generator),
        "timestep": torch.tensor(7),
        "encoder_hidden_states": torch.randn(2, spec.context_length, spec.context_dim, generator=generator),
    }
    if spec.guidance_dim:
        made["timestep_cond"] = torch.randn(2, spec.guidance_dim, generator=generator)
    if spec.added:
        made["text_embeds"] = torch.randn(2, spec.added.text_dim, generator=generator)
        made["time_ids"] = torch.randn(2, spec.added.time_ids, generator=generator)
    return made


@torch.no_grad()
def predicted(unet: UNet) -> torch.Tensor:
    given = inputs(unet.spec)
    added: Any = {name: given[name] for name in ("text_embeds", "time_ids")} if unet.spec.added else None
    out: torch.Tensor = unet.eval()(
        given["sample"], given["timestep"].expand(2), given["encoder_hidden_states"], added, given.get("timestep_cond")
    )
    return out


BY_DIFFUSERS = """
import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

for folder in map(Path, sys.argv[1:]):
    found = importlib.util.spec_from_file_location("modeling_archlab", folder / "modeling_archlab.py")
    module = sys.modules["modeling_archlab"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    unet = module.ArchlabUNet.from_pretrained(folder)
    given = load_file(folder / "inputs")
    added = {name: given.pop(name) for name in ("text_embeds", "time_ids") if name in given}
    with torch.no_grad():
        out = unet(**given, added_cond_kwargs=added or None)
        (same,) = unet(**given, added_cond_kwargs=added or None, return_dict=False)
    assert torch.equal(out.sample, same)
    save_file({"out": out.sample}, folder / "out")
"""


def test_what_diffusers_cannot_express_computes_the_same_without_archlab(tmp_path: Path) -> None:
    definition = load_definition(SPACE)
    sampled = [proxy_spec(definition.space.sample(seed), definition.settings.proxy) for seed in range(12)]
    specs = [spec for spec in (everything(), *sampled) if diffusers_obstacles(spec)]
    assert len(specs) > 10
    unets = [untrained(spec, seed) for seed, spec in enumerate(specs)]
    folders = [tmp_path / str(number) for number in range(len(specs))]
    for unet, folder in zip(unets, folders, strict=True):
        write_unet(unet, folder)
        save_file(inputs(unet.spec), folder / "inputs")
    run_without_archlab(BY_DIFFUSERS, tmp_path, *folders)
    for unet, folder in zip(unets, folders, strict=True):
        torch.testing.assert_close(load_file(folder / "out")["out"], predicted(unet), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "spec", [PLAIN, replace(PLAIN, context_length=9, guidance_dim=4), everything()], ids=["plain", "changed", "own"]
)
def test_the_exact_network_comes_back(spec: UNetSpec, tmp_path: Path) -> None:
    unet = untrained(spec, 1)
    write_unet(unet, tmp_path / "unet")
    read = read_unet(tmp_path)
    assert read.spec == spec == find(str(tmp_path))
    assert not read.training
    torch.testing.assert_close(read.state_dict(), unet.state_dict(), rtol=0, atol=0)


@torch.no_grad()
def test_what_diffusers_can_express_is_its_own_class(tmp_path: Path) -> None:
    unet = untrained(PLAIN, 2)
    write_unet(unet, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["architecture.yaml", "config.json", WEIGHTS]
    theirs = UNet2DConditionModel.from_pretrained(tmp_path)
    torch.testing.assert_close(theirs(**inputs(PLAIN)).sample, predicted(unet), rtol=1e-5, atol=1e-5)
    theirs.save_pretrained(tmp_path / "again")
    torch.testing.assert_close(read_unet(tmp_path / "again").state_dict(), unet.state_dict(), rtol=0, atol=0)


def test_the_code_is_one_clean_file_of_torch_and_diffusers(tmp_path: Path) -> None:
    path = tmp_path / CODE
    path.write_text(modeling_code(), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "py_compile", path], check=True)
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "--select=F,E9,B", path], check=True)
    imported = {
        line.split()[1].split(".")[0] for line in path.read_text().splitlines() if line.startswith(("import ", "from "))
    }
    assert imported - sys.stdlib_module_names == {"torch", "diffusers"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "unet"
    write_unet(untrained(everything(), 3), folder)
    return folder


@pytest.fixture(scope="module")
def saved_plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "unet"
    write_unet(untrained(PLAIN, 3), folder)
    return folder


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "config not JSON": (lambda f: (f / "config.json").write_text('{"spec'), "config.json: not JSON"),
    "another class": (configured(_class_name="AutoencoderKL"), "config.json: not the config of a diffusers UNet2D"),
    "spec absent": (configured(spec=None), "config.json: spec: Input should be a dict"),
    "spec of a wrong type": (configured(spec={**everything().to_dict(), "norm_groups": "four"}), "spec: norm_groups: "),
    "spec not to be built": (
        configured(spec={**everything().to_dict(), "norm_groups": 5}),
        "is not a positive multiple",
    ),
    "spec of another width": (
        configured(spec={**everything().to_dict(), "context_dim": 32}),
        "this config needs [16, 32]",
    ),
    "weights absent": (lambda f: (f / WEIGHTS).unlink(), f"no weights; {WEIGHTS} is needed"),
    "weights truncated": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]), "damaged"),
    "weights garbage": (lambda f: (f / WEIGHTS).write_bytes(b"\xff" * 64), "damaged"),
    "tensor missing": (changed(lambda t: t.pop(NAME)), f"missing tensors: 1, the first is {NAME!r}"),
    "tensor unexpected": (changed(lambda t: t.update(extra=t[NAME].clone())), "unexpected tensors: 1"),
    "tensor of another shape": (changed(lambda t: t.update({NAME: t[NAME][:-1].clone()})), f"{NAME} has shape [15, 16"),
    "not a number": (changed(lambda t: t[NAME].view(-1)[3].fill_(float("nan"))), f"{NAME} has values that are not"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_folder_is_refused_in_one_line_with_its_path(case: str, saved: Path, tmp_path: Path) -> None:
    damage, message = DAMAGES[case]
    folder = shutil.copytree(saved, tmp_path / "unet")
    damage(folder)
    with pytest.raises(BadInput) as caught:
        read_unet(folder)
    assert str(caught.value).startswith(str(folder))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_files_that_speak_of_different_networks_are_refused(saved_plain: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved_plain, tmp_path / "unet")
    path = folder / "architecture.yaml"
    path.write_text(path.read_text().replace("context_dim: 24", "context_dim: 32"))
    with pytest.raises(BadInput, match=r"not the network of config\.json beside it"):
        read_unet(folder)


def test_no_code_of_a_folder_is_run(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "unet")
    (folder / CODE).write_text("raise SystemExit('run')")
    read_unet(folder)
    (folder / CODE).unlink()
    read_unet(folder)
