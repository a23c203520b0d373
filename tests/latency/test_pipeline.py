"""The whole image: its networks against transformers' and diffusers' own, and the sum against its parts."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from diffusers import AutoencoderKL
from transformers import CLIPTextModel

from archlab.architecture import preset
from archlab.cli.latency import latency as command
from archlab.convert import to_coreml
from archlab.errors import BadInput
from archlab.latency import Latency, measure
from archlab.latency.network import Network
from archlab.latency.pipeline import image as image_module
from archlab.latency.pipeline.components import DECODERS, ENCODERS, ImageDecoder, TextEncoder
from archlab.latency.pipeline.image import measure_image
from archlab.latency.pipeline.modules import LatentToImage, TextToContext
from archlab.latency.pipeline.networks import decoder_network, text_network, text_networks
from tests.latency.test_latency_value import latency

CLIP = TextEncoder(width=32, layers=2, heads=4, activation="quick_gelu")
DECODER = ImageDecoder(channels=(8, 8, 16, 16), res_blocks=1, norm_groups=8)
TINY = {
    "last layer": text_network("clip", CLIP, 7),
    "last but one, and pooled": text_network("clip", replace(CLIP, hidden_state=-2, pooled=True), 7),
    "decoder": decoder_network("decoder", DECODER, latent_channels=4, latent_size=4),
}


def parameters(network: Network) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in network.build(0).module.parameters())


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        (text_network("", ENCODERS[768]["CLIP ViT-L/14"], 77), 123.06),
        (text_network("", ENCODERS[1024]["OpenCLIP ViT-H/14"], 77), 340.39),
        (text_network("", ENCODERS[2048]["OpenCLIP ViT-bigG/14"], 77), 694.66),
        (decoder_network("", DECODERS["sd"], 4, 64), 49.49),
        (decoder_network("", DECODERS["small"], 4, 64), 9.66),
    ],
)
def test_published_sizes(network: Network, millions: float) -> None:
    assert parameters(network) == pytest.approx(millions * 1e6, abs=0.005e6)


@pytest.mark.parametrize("name", [name for name in TINY if name != "decoder"])
def test_text_encoder_is_transformers_own(name: str) -> None:
    module, inputs = TINY[name].build(3)
    assert isinstance(module, TextToContext)
    theirs = module.encoder(input_ids=inputs["tokens"].long(), output_hidden_states=True)
    ours = module(**inputs)
    if isinstance(module.encoder, CLIPTextModel):
        assert torch.equal(ours, theirs.last_hidden_state)
    else:
        assert torch.equal(ours[:, :-1], theirs.hidden_states[-2])
        torch.testing.assert_close(ours[:, -1], theirs.text_embeds)


def test_decoder_is_diffusers_own() -> None:
    torch.manual_seed(0)
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    autoencoder = AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=8, **kinds).eval()
    latent = torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        theirs = autoencoder.decode(latent).sample
        torch.testing.assert_close(LatentToImage(autoencoder)(latent), theirs)


def test_networks_are_the_same_exactly_where_their_content_is() -> None:
    assert text_network("another name", CLIP, 7).id == TINY["last layer"].id
    others = [
        *TINY.values(),
        text_network("clip", CLIP, 8),
        decoder_network("decoder", DECODER, 4, 8),
        decoder_network("decoder", DECODER, 8, 4),
    ]
    assert len({network.id for network in others}) == len(others)
    first, again = (TINY["last layer"].build(5) for _ in range(2))
    assert torch.equal(first.module(**first.inputs), again.module(**again.inputs))


@pytest.mark.parametrize("name", ["last but one, and pooled", "decoder"])
def test_tflite_runs_it_in_one_partition(name: str) -> None:
    measured = measure(TINY[name], min_runs=2, min_seconds=0.0, quiet_timeout_s=0.0)
    assert measured.partitions == 1
    assert measured.parity_max_abs is not None
    assert measured.parity_max_abs < 1e-4


@pytest.mark.parametrize(
    ("preset_name", "names"),
    [
        ("sd15", ["CLIP ViT-L/14"]),
        ("sd21", ["OpenCLIP ViT-H/14"]),
        ("sdxl", ["CLIP ViT-L/14", "OpenCLIP ViT-bigG/14"]),
    ],
)
def test_text_encoders_go_with_the_context(preset_name: str, names: list[str]) -> None:
    assert [network.name for network in text_networks(preset(preset_name))] == names


def test_unknown_context_says_what_is_assumed() -> None:
    (network,) = text_networks(replace(preset("tiny"), context_dim=300))
    assert network.name == "CLIP ViT-L/14 (assumed: none is known of width 300)"
    assert network.id == text_networks(preset("sd15"))[0].id


def test_whole_numbers_reach_torchs_worker_as_such() -> None:
    measured = measure(TINY["last layer"], "torch", min_runs=2, min_seconds=0.0, quiet_timeout_s=0.0)
    assert measured.parity_max_abs is not None
    assert measured.parity_max_abs < 1e-5


def test_core_ml_takes_whole_numbers(tmp_path: Path) -> None:
    coremltools = pytest.importorskip("coremltools")
    module, inputs = TINY["last but one, and pooled"].build(0)
    to_coreml(module, inputs, tmp_path / "clip.mlpackage")
    package = coremltools.models.MLModel(str(tmp_path / "clip.mlpackage"), skip_model_load=True).get_spec()
    (tokens,) = package.description.input
    assert tokens.type.multiArrayType.dataType == coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.INT32


MEDIANS_MS = {"CLIP ViT-L/14": 10.0, "small": 30.0}
UNET_MEDIAN_MS = 100.0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces `measure` by made-up latencies; what it was asked for."""
    calls: list[dict[str, Any]] = []

    def made_up(network: Network, device: str, *, progress: Any, **settings: Any) -> Latency:
        calls.append({"device": device, **settings})
        if progress is not None:
            progress("measure", 1.0)
        median_ms = MEDIANS_MS.get(network.name, UNET_MEDIAN_MS)
        provenance = {"kind": "measured", "device": device}
        return latency(samples_ms=(median_ms, median_ms), model_mb=median_ms * 2, provenance=provenance)

    monkeypatch.setattr(image_module, "measure", made_up)
    return calls


@pytest.mark.parametrize(("steps", "guidance", "runs"), [(8, True, 16), (8, False, 8), (1, False, 1)])
def test_the_image_is_the_sum_of_its_parts(asked: Any, steps: int, guidance: bool, runs: int) -> None:
    image = measure_image(preset("sd15"), "torch", steps=steps, guidance=guidance, decoder="small", threads=2)
    assert [part.runs for part in image.parts] == [1, runs, 1]
    assert image.total_ms == 10 + 100 * runs + 30
    assert image.model_mb == 20 + 200 + 60
    assert image.image_size == 512
    assert image.provenance["kind"] == "sum of measured parts"
    assert asked == [{"device": "torch", "threads": 2}] * 3
    rows = image.rows()
    assert sum(row["share"] for row in rows[:-1]) == pytest.approx(1)
    assert rows[-1]["ms_per_image"] == image.total_ms


def test_what_is_not_told_is_not_summed(asked: Any) -> None:
    image = measure_image(preset("sd15"), decoder="small")
    told = image.parts[0].latency.peak_memory_mb
    assert image.peak_memory_mb == told
    silent = replace(image.parts[1], latency=replace(image.parts[1].latency, peak_memory_mb=None))
    assert replace(image, parts=(image.parts[0], silent)).peak_memory_mb is None


def test_every_part_keeps_its_own_provenance(asked: Any) -> None:
    image = measure_image(preset("sd15"), decoder="small")
    parts = json.loads(json.dumps(image.to_dict()))["parts"]
    assert [part["latency"]["provenance"]["kind"] for part in parts] == ["measured"] * 3
    stages: list[str] = []
    measure_image(preset("sd15"), progress=lambda stage, _: stages.append(stage))
    assert stages == ["text encoder: measure", "UNet: measure", "image decoder: measure"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps: at least 1 is needed but got 0"),
        ({"decoder": "smal"}, "decoder: there is no 'smal'; did you mean 'small'"),
    ],
)
def test_bad_input_names_what_would_be_right(asked: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        measure_image(preset("sd15"), **arguments)
    assert asked == []


def test_command_prints_the_table_and_draws_the_picture(
    asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["sd15", "--device", "android:R5CT", "--pipeline", "--no-guidance", "--decoder", "small"]
    printed = CliRunner().invoke(command, [*arguments, "--format", "csv"])
    assert printed.exit_code == 0, printed.output
    rows = list(csv.DictReader(io.StringIO(printed.stdout)))
    assert [row["component"] for row in rows] == ["text encoder", "UNet", "image decoder", "image"]
    assert float(rows[-1]["ms_per_image"]) == 10 + 8 * 100 + 30
    pictures = sorted(str(path) for path in Path("reports/pipeline").iterdir())
    assert pictures == ["reports/pipeline/sd15-android-R5CT.png", "reports/pipeline/sd15-android-R5CT.svg"]
    printed = CliRunner().invoke(command, [*arguments, "--format", "json", "--out", "there/picture", "--steps", "2"])
    assert json.loads(printed.stdout)["total_ms"] == 10 + 2 * 100 + 30
    assert Path("there/picture.svg").exists()


@pytest.mark.parametrize("option", [["--steps", "8"], ["--no-guidance"], ["--decoder", "sd"], ["--out", "x"]])
def test_what_is_for_the_whole_image_is_refused_for_less(option: list[str]) -> None:
    refused = CliRunner().invoke(command, ["sd15", *option])
    name = option[0].replace("no-", "")
    assert str(refused.exception) == f"{name}: is for a whole image; add --pipeline"
