"""The winner's folder: what a person finds in it works."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from archlab.architecture import load, map_transformers, preset
from archlab.convert import example_inputs, run_tflite, torch_output
from archlab.cost import count
from archlab.errors import BadInput, MissingExtra, RunFailed
from archlab.evaluation import Confirmed, Estimate, Evaluation, Latency
from archlab.export import Plan, Winner, export_architecture
from archlab.export.architecture_card import card
from archlab.export.networks import WEIGHTS_SEED
from archlab.proxy.evaluate import evaluate_proxy, proxy_spec
from archlab.proxy.settings import ProxySettings, Scale
from archlab.unet import build

SETTINGS = ProxySettings(
    data="digits", scale=Scale(width=0.125, sample_size=8), rungs=(2,), samples=20, sampling_steps=2
)
SPEC = preset("tiny").scaled(width=0.25, sample_size=8)


@pytest.fixture(scope="module")
def winner(tmp_path_factory: pytest.TempPathFactory) -> Winner:
    files = tmp_path_factory.mktemp("trial")
    proxy = evaluate_proxy(SPEC, SETTINGS, files)
    how = {"device": "tflite", "kind": "measured", "threads": 1, "precision": "fp32", "runtime": "ai-edge-litert 2.3"}
    phone = {"device": "android:R5CT", "kind": "estimated"}
    measured = Latency(
        samples_ms=(12.5,) * 35 + (13.0,) * 5,
        bursts=(40,),
        left_out=0,
        noise=None,
        load_ms=1.0,
        first_run_ms=None,
        peak_memory_mb=None,
        model_mb=1.0,
        partitions=1,
        accelerated_share=1.0,
        parity_max_abs=0.0,
        provenance=how,
    )
    estimated = Estimate(median_ms=31.0, low_ms=29.5, high_ms=32.5, provenance=phone)
    return Winner(
        study="a study",
        trial=7,
        why="knee: nearest to the best",
        knobs={"conv": "standard", "ff_ratio": 8},
        evaluation=Evaluation(status="complete", proxy=proxy, latency={"laptop": measured, "pixel8": estimated}),
        spec=SPEC,
        proxy=proxy_spec(SPEC, SETTINGS),
        files=files,
    )


@pytest.fixture(scope="module")
def exported(winner: Winner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_architecture(winner, tmp_path_factory.mktemp("out") / "mit Leerzeichen ä")


def test_the_proxy_loads_as_the_card_says(exported: Path) -> None:
    proxy = build(load(exported / "proxy.yaml"))
    proxy.load_state_dict(load_file(exported / "proxy.safetensors"))
    assert load(exported / "architecture.yaml") == SPEC
    assert 'load_file("proxy.safetensors")' in (exported / "card.md").read_text(encoding="utf-8")


def test_the_tflite_file_computes_what_torch_computes_and_the_card_says_how_nearly(exported: Path) -> None:
    torch.manual_seed(WEIGHTS_SEED)
    unet = build(SPEC)
    inputs = example_inputs(SPEC)
    difference = np.abs(torch_output(unet, inputs) - run_tflite(exported / "unet.tflite", inputs)).max()
    assert difference < 1e-4
    stated = json.loads((exported / "card.json").read_text(encoding="utf-8"))["files"][0]
    assert stated["parity_max_abs"] == pytest.approx(difference, abs=1e-6)
    assert f"{stated['parity_max_abs']:.1e}" in (exported / "card.md").read_text(encoding="utf-8")


def test_core_ml_is_written_and_the_card_says_who_compared_it(exported: Path) -> None:
    assert (exported / "coreml" / "Unet.mlpackage" / "Manifest.json").is_file()
    stated = json.loads((exported / "card.json").read_text(encoding="utf-8"))["files"][1]
    assert stated["file"] == "coreml/Unet.mlpackage"
    assert 1e-6 < stated["parity_max_relative"] < 0.02  # float16
    assert "Core ML itself was not asked" in stated["note"]


def test_diffusers_loads_the_same_weights_from_the_folder(exported: Path) -> None:
    torch.manual_seed(WEIGHTS_SEED)
    inputs = example_inputs(SPEC)
    model = UNet2DConditionModel.from_pretrained(exported / "diffusers")
    with torch.no_grad():
        output = model(inputs["sample"], inputs["timestep"], inputs["context"]).sample
    np.testing.assert_allclose(output.numpy(), torch_output(build(SPEC), inputs), atol=1e-5)
    stated = json.loads((exported / "card.json").read_text(encoding="utf-8"))["files"][2]
    assert (stated["runtime"], stated["file"]) == ("diffusers", "diffusers")
    assert stated["parity_max_abs"] < 1e-5


def test_the_card_says_why_diffusers_cannot_have_it(winner: Winner, tmp_path: Path) -> None:
    spec = map_transformers(SPEC, lambda transformer, _: replace(transformer, kv_sharing="self"))
    out = export_architecture(replace(winner, spec=spec), tmp_path / "out", plan=Plan(forms=("diffusers",)))
    assert not (out / "diffusers").exists()
    (stated,) = json.loads((out / "card.json").read_text(encoding="utf-8"))["files"]
    assert "shared keys and values (down.0.0, down.1.0, middle.0 and 4 more)" in stated["note"]
    assert f"- diffusers: not written. {stated['note']}" in (out / "card.md").read_text(encoding="utf-8")


def test_the_card_has_the_numbers(exported: Path) -> None:
    text = (exported / "card.md").read_text(encoding="utf-8")
    assert f"{count(SPEC).params_m:.1f} M params" in text
    interval = "(12.50 to 12.50 ms, 95 % interval)"
    assert f"laptop, measured: median 12.50 ms {interval}, p90 13.00 ms of 40 runs on tflite (ai-edge-" in text
    assert "noisy" not in text
    assert "Latency on pixel8: **estimated**, not measured: 31.00 ms (29.50 to 32.50 ms)" in text
    assert "random weights" in text
    assert "| ff_ratio | 8 |" in text


def test_the_card_says_what_was_measured_side_by_side_and_what_is_noisy(winner: Winner) -> None:
    laptop = Confirmed(
        median_ms=7.0,
        low_ms=6.0,
        high_ms=8.2,
        rounds=12,
        noise="known to ±17% after 12 rounds",
        p90_ms=13.0,
        peak_memory_mb=None,
        model_mb=1.0,
        provenance={"kind": "measured", "device": "tflite"},
    )
    text = card(replace(winner, evaluation=replace(winner.evaluation, latency={"laptop": laptop})), [])
    assert (
        "Latency on laptop, measured: median 7.00 ms (6.00 to 8.20 ms, 95 % interval), side by side with the "
        "baseline's in 12 rounds on tflite. **It is noisy and may be far off**: known to ±17% after 12 rounds."
    ) in text


def test_an_older_export_is_replaced_and_anything_else_is_not(winner: Winner, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not an export"):
        export_architecture(winner, tmp_path)
    stale = tmp_path / "old"
    stale.mkdir()
    for name in ("card.json", "card.md"):
        (stale / name).write_text("{}")
    (stale / "leftover").write_text("")
    export_architecture(winner, stale, plan=Plan(forms=("diffusers",)))
    assert not (stale / "leftover").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_missing_weights_are_said_and_nothing_is_written(winner: Winner, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"checkpoint\.safetensors"):
        export_architecture(replace(winner, files=tmp_path / "gone"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_form_without_its_package_is_said_by_the_card_and_refused_where_it_was_asked_for(
    winner: Winner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    out = export_architecture(winner, tmp_path / "out")
    said = "writing Core ML packages needs an optional dependency: pip install 'archlab[coreml]'"
    assert f"Core ML: not written. {said}" in (out / "card.md").read_text(encoding="utf-8")
    with pytest.raises(MissingExtra, match=r"pip install 'archlab\[coreml\]'"):
        export_architecture(winner, tmp_path / "other", plan=Plan(forms=("tflite", "coreml")))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_unknown_forms_and_precisions_are_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match="--forms: there is no 'tflight'; did you mean 'tflite'"):
        Plan(forms=("tflight",)).check()
    with pytest.raises(BadInput, match="--precision: no form has 'fp61'; did you mean 'fp16'"):
        Plan(forms=("tflite",), precisions=("fp61",)).check()


@pytest.mark.skipif(sys.platform == "darwin", reason="this is the answer elsewhere than on macOS")
def test_running_core_ml_elsewhere_is_refused(exported: Path) -> None:
    from archlab.convert import run_coreml

    with pytest.raises(BadInput, match="takes macOS"):
        run_coreml(exported / "coreml" / "Unet.mlpackage", example_inputs(SPEC))
