import csv
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from archlab.architecture import Block, Stage, UNetSpec, preset, presets
from archlab.errors import BadInput
from archlab.evaluation.fact import to_plain
from archlab.proxy.evaluate import ProxyResult, evaluate_proxy, proxy_spec
from archlab.proxy.parts import proxy_data_and_encoders
from archlab.proxy.settings import ProxySettings, Scale
from archlab.unet import build
from tests.encoders.tiny import save_clip, save_kl


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trial")


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, float]]:
    return []


@pytest.fixture(scope="module")
def two_seeds(settings: ProxySettings) -> ProxySettings:
    return settings.model_copy(update={"seeds": 2, "quality": "fid"})


@pytest.fixture(scope="module")
def result(small_unet: UNetSpec, two_seeds: ProxySettings, folder: Path, heard: list[tuple[str, float]]) -> ProxyResult:
    return evaluate_proxy(
        small_unet, two_seeds, folder, seed=7, progress=lambda stage, share: heard.append((stage, share))
    )


@pytest.mark.parametrize("name", presets())
def test_every_preset_shrinks_to_a_proxy_that_runs(name: str) -> None:
    settings = ProxySettings(data="digits", scale=Scale(width=0.05, sample_size=8))
    spec = proxy_spec(preset(name), settings)
    assert (spec.sample_size, spec.in_channels, spec.out_channels) == (8, 1, 1)
    drawn = build(spec)(
        torch.zeros(2, 1, 8, 8),
        torch.tensor([0, 999]),
        proxy_data_and_encoders(settings).text.encode(["a handwritten one", ""]),
    )
    assert drawn.shape == (2, 1, 8, 8)


def test_stage_that_keeps_the_resolution_needs_one_halving_less() -> None:
    block = (Block(),)
    spec = UNetSpec(
        sample_size=64,
        middle=(),
        stages=(
            Stage(channels=32, down=block, up=block, downsample="standard"),
            Stage(channels=32, down=block, up=block, upsample="standard"),
            Stage(channels=32, down=block, up=block),
        ),
    )
    settings = ProxySettings(data="digits", scale=Scale(width=1, sample_size=10))
    assert proxy_spec(spec, settings).sample_size == 10


def test_sample_size_that_cannot_be_halved_is_refused() -> None:
    settings = ProxySettings(data="digits", scale=Scale(width=0.1, sample_size=12))
    with pytest.raises(BadInput, match=r"scale: sample_size: 12 .* take a multiple of 8"):
        proxy_spec(preset("sd15"), settings)


def test_result_means_over_seeds(result: ProxyResult, two_seeds: ProxySettings) -> None:
    assert [run.seed for run in result.by_seed] == [7, 8]
    assert result.by_seed[0].val_loss != result.by_seed[1].val_loss
    assert result.val_loss == fmean(run.val_loss or 0 for run in result.by_seed)
    assert result.fid == fmean(run.fid or 0 for run in result.by_seed) == result.rungs[20]
    assert result.rungs[10] == fmean(run.rungs[10] for run in result.by_seed)
    assert (result.quality, result.quality_label) == (result.fid, result.fid_label)
    assert result.fid == result.scores["fid"].value
    assert result.quality_error == fmean(run.scores[20]["fid"].error for run in result.by_seed) > 0
    assert "val_loss_q1" in result.scores
    assert result.steps == 20
    assert result.images_per_second == pytest.approx(2 * 20 * 32 / result.train_seconds)
    assert (result.reader_accuracy or 0) > 0.95
    assert result.zero_cost == {}


def test_result_describes_the_proxy_and_is_plain_data(
    result: ProxyResult, small_unet: UNetSpec, two_seeds: ProxySettings
) -> None:
    spec = proxy_spec(small_unet, two_seeds)
    assert result.architecture == spec.id
    assert result.params_m * 1e6 == pytest.approx(sum(p.numel() for p in build(spec).parameters()))
    plain = to_plain(result)
    assert plain["provenance"]["settings"]["rungs"] == [10, 20]
    assert plain["provenance"]["torch"] == torch.__version__
    assert plain["provenance"]["threads"] == 1
    assert plain["provenance"]["micro_batch"] == 32
    assert plain["provenance"]["device"] == "cpu"
    assert plain["provenance"]["cached"] == []
    assert plain["provenance"]["baseline"] is plain["provenance"]["inherited"] is None
    assert plain["provenance"]["seed"] == 7
    assert plain["rungs"] == {"10": result.rungs[10], "20": result.rungs[20]}


def test_files_are_written(result: ProxyResult, folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.safetensors", "curve.csv", "samples.png"]
    with (folder / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["seed", "step", "loss", "seconds"]
    assert [(row["seed"], row["step"]) for row in rows] == [
        (str(seed), str(step)) for seed in (7, 8) for step in range(1, 21)
    ]
    with Image.open(folder / "samples.png") as picture:
        assert min(picture.size) > 300


def test_checkpoint_is_the_scored_network_of_the_first_seed(
    result: ProxyResult,
    folder: Path,
    small_unet: UNetSpec,
    two_seeds: ProxySettings,
    val_loss: Callable[[nn.Module], float],
) -> None:
    unet = build(proxy_spec(small_unet, two_seeds))
    unet.load_state_dict(load_file(folder / "checkpoint.safetensors"))
    assert val_loss(unet) == result.by_seed[0].val_loss


def test_progress_names_every_stage_and_rises(result: ProxyResult, heard: list[tuple[str, float]]) -> None:
    assert {stage for stage, _ in heard} - {"reference"} == {"train", "sample", "score"}
    for stage in ("train", "sample", "score"):
        shares = [share for name, share in heard if name == stage]
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_evaluation_is_reproducible(
    result: ProxyResult,
    small_unet: UNetSpec,
    two_seeds: ProxySettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARCHLAB_CACHE", str(tmp_path / "cache"))
    one = two_seeds.model_copy(update={"seeds": 1})
    (again,) = evaluate_proxy(small_unet, one, tmp_path / "fid", seed=8).by_seed
    second = result.by_seed[1]
    assert (again.val_loss, again.fid, again.rungs) == (second.val_loss, second.fid, second.rungs)
    by_loss = evaluate_proxy(small_unet, one.model_copy(update={"quality": "val_loss"}), tmp_path / "val_loss", seed=8)
    assert (by_loss.val_loss, by_loss.fid) == (second.val_loss, second.fid)
    assert (by_loss.quality, by_loss.quality_label) == (by_loss.val_loss, "val_loss")


def test_zero_cost_scores_are_there_where_they_are_asked_for_and_train_nothing_anew(
    result: ProxyResult, small_unet: UNetSpec, two_seeds: ProxySettings, tmp_path: Path
) -> None:
    asked = two_seeds.model_copy(update={"zero_cost": True})
    again = evaluate_proxy(small_unet, asked, tmp_path, seed=7)
    assert list(again.zero_cost) == ["grad_norm", "synflow", "naswot"]
    assert again.provenance["cached"] == [7, 8]
    assert again.scores == result.scores


def test_a_proxy_works_on_latents_and_contexts_of_local_models(small_unet: UNetSpec, tmp_path: Path) -> None:
    save_kl(tmp_path / "vae")
    save_clip(tmp_path / "clip")
    settings = ProxySettings(
        data="digits",
        vae=str(tmp_path / "vae"),
        text=str(tmp_path / "clip"),
        scale=Scale(width=1, sample_size=4),
        rungs=(2,),
        batch_size=4,
        samples=10,
        sampling_steps=2,
        objective="flow",
    )
    heard: list[str] = []
    spec = proxy_spec(small_unet, settings)
    assert (spec.sample_size, spec.in_channels, spec.out_channels, spec.context_dim) == (4, 2, 2, 16)
    result = evaluate_proxy(small_unet, settings, tmp_path / "trial", progress=lambda stage, _: heard.append(stage))
    assert [stage for stage in dict.fromkeys(heard) if stage != "reference"] == ["encode", "train", "sample", "score"]
    assert result.quality_label == "val_loss (flow)"
    assert {"val_loss", "fid", "kid", "adherence"} < result.scores.keys()
    shapes = {name: weight.shape for name, weight in load_file(tmp_path / "trial" / "checkpoint.safetensors").items()}
    assert shapes == {name: weight.shape for name, weight in build(spec).state_dict().items()}
